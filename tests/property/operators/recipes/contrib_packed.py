"""Calls of com.microsoft's operators of packed weights and packed runs, beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ops.microsoft.packed import LAYOUTS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula, peer, sharing
from tests.property.operators.recipe import Call, Fed, Fixed, recipe

CONTRIB = "com.microsoft"
HALVES = {2: (0,), 6: (0,), 8: (0,), 13: (0, 2), 14: (208,), 20: (0,), 23: (0,), 42: (0,)}
"""Where the float16 scales of a block stand, by type."""


def packed_rows(d: Draw, kind: int, rows: int, blocks: int) -> Array:
    """Random blocks with scales that are numbers."""
    layout, random = LAYOUTS[kind], d.random()
    if layout.count == 1:
        numbers = random.normal(size=(rows, blocks)).astype(np.float32)
        raw = numbers.view(np.uint8).reshape(rows, blocks, 4)
        raw = raw if kind == 0 else numbers.astype(np.float16).view(np.uint8) if kind == 1 else raw[..., 2:]
        return np.ascontiguousarray(raw).reshape(rows, -1)
    table = random.integers(0, 256, (rows, blocks, layout.size)).astype(np.uint8)
    for at in HALVES[kind]:
        scales = random.uniform(0.01, 1, (rows, blocks, 1)).astype(np.float16)
        table[:, :, at : at + 2] = scales.view(np.uint8)
    return table.reshape(rows, -1)


@recipe("GatherPacked", domain=CONTRIB, types="f32")
def gather_packed(d: Draw) -> Call:
    kind, rows, blocks = d.one_of(*LAYOUTS), d.integer(1, 5), d.integer(1, 3)
    table = packed_rows(d, kind, rows, blocks)
    index = d.within(d.shape(0, 2, 1, 4), -2, rows + 1, d.one_of(np.int64, np.int32))
    inputs = [Fixed(table) if d.flag() else table, index]
    more = {"packed_type": kind, "K": LAYOUTS[kind].count * blocks, "output_dtype": d.one_of(1, 10)}
    return Call(inputs, judge=peer, length=1, zeros=False, **more)


@recipe("MatMulFpQ4", domain=CONTRIB, types="f32")
def matmul_fpq4(d: Draw) -> Call:
    rows, inner, columns, kind = d.integer(1, 5), d.one_of(32, 64, 7, 100), d.integer(1, 9), d.integer(0, 1)
    head, blocks, random = 4 + kind, -(-inner // 32), d.random()
    packed = random.integers(0, 256, (columns, blocks, head + 16)).astype(np.uint8)
    packed[:, :, 4:head] &= 15
    packed[:, :, :4] = random.uniform(0.1, 1, (columns, blocks, 1)).astype(np.float32).view(np.uint8)
    a = d.within((rows, inner), -1, 1)

    def judge(a: Array, *_: Any) -> Array:
        low, high = packed[:, :, head:] & 15, packed[:, :, head:] >> 4
        points = np.concatenate([low, high], 2).astype(np.float64)
        zero = packed[:, :, 4:5].astype(np.float64) if kind else 8.0
        scale = np.ascontiguousarray(packed[:, :, :4]).view(np.float32).astype(np.float64)
        weights = ((points - zero) * scale).reshape(columns, -1)[:, :inner]
        return np.asarray(a @ weights.T)

    inputs = [a, Fixed(packed.reshape(-1)), Fixed(np.array([inner, columns]))]
    # onnxruntime has this operator on CPUs with AVX-512 alone.
    return Call(inputs, 1, formula(judge), inner, inner * 16.0, blk_quant_type=kind)


def runs(d: Draw, batch: int) -> Array:
    """Where runs of 1 to 5 tokens begin and end."""
    lengths = d.within((batch,), 1, 5, np.int32)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


@recipe("VarlenCausalConvWithState", domain=CONTRIB, types="f32 f16")
def varlen_causal_conv_with_state(d: Draw) -> Call:
    batch, channels, taps, dilation = d.integer(1, 3), d.one_of(1, 4, 19), d.integer(1, 4), d.integer(1, 2)
    ends, capacity = runs(d, batch), d.one_of(0, 1, 3)
    x, weight = d.within((int(ends[-1]), channels), -2, 2), d.within((channels, 1, taps), -1, 1)
    state = d.within((batch, channels, (taps - 1) * dilation), -2, 2)
    bias = d.maybe(d.within((channels,), -1, 1))
    inputs = [x, weight, ends, bias, state]
    if capacity:
        inputs.append(d.within((batch,), -1, 4, np.int32))
    more = {"activation": d.one_of("none", "silu", "swish"), "dilation": d.maybe(dilation)}
    if more["dilation"] is None:
        inputs[4] = state[:, :, : taps - 1]
    return Call(
        inputs, 3 if capacity else 2, peer, taps, 8.0, zeros=False, state_update_capacity=capacity, **more
    )


@recipe("VarlenNGramHashMapping", domain=CONTRIB, types="i64 i32")
def varlen_ngram_hash_mapping(d: Draw) -> Call:
    batch, most, heads, capacity = d.integer(1, 3), d.integer(2, 4), d.integer(1, 3), d.one_of(0, 2)
    ends, reach = runs(d, batch), most - 1
    ids = d.within((int(ends[-1]),), 0, 9)
    factors, sizes = d.within((most,), 1, 99), d.within((reach * heads,), 2, 97)
    segments = d.maybe(np.sort(d.within(ids.shape, 0, 2, np.int32)))
    eos = d.maybe(np.asarray(3, d.element))
    inputs: list[Any] = [ids, factors, sizes, ends, d.maybe(d.within((batch, reach), 0, 9))]
    inputs += [d.maybe(d.within((reach * heads,), 0, 50)), eos, segments]
    inputs.append(None if segments is None else d.maybe(d.within((batch, reach), 0, 2, np.int32)))
    inputs.append(d.within((batch,), 0, 4, np.int32) if capacity else None)
    wanted = [True, True, segments is not None, capacity > 0]
    more = {"pad_id": d.one_of(0, 5), "n_head_per_ngram": heads, "max_ngram_size": most}
    more |= {"reset_on_eos": d.integer(0, 1), "state_update_capacity": capacity}
    return Call(inputs, wanted, peer, **more)


@recipe("SparseAttention", domain=CONTRIB, types="f32")
def sparse_attention(d: Draw) -> Call:
    batch, side, size = d.integer(1, 2), 16, d.one_of(8, 16)
    (heads, groups), layouts, count = d.one_of((2, 1), (2, 2), (4, 2)), d.integer(1, 2), d.integer(1, 3)
    most, begins = count * side, d.flag()
    length = d.integer(1, most) if begins else d.integer(1, 3)
    total = length if begins else d.integer(length, most)
    random = d.random()
    shown = np.tril(random.random((layouts, count, count)) < 0.6) | np.eye(count, dtype=bool)
    columns = np.full((layouts, int(shown.sum((1, 2)).max())), -1, np.int32)
    for layout, seen in enumerate(shown):
        columns[layout, : seen.sum()] = np.nonzero(seen)[1]
    rows = np.concatenate([np.zeros((layouts, 1)), np.cumsum(shown.sum(2), 1)], 1).astype(np.int32)
    lengths = np.full(batch, total)  # of others onnxruntime 1.32 reads the shares of another head
    past = [Fed(d.within((batch, groups, most, size), -1, 1)) for _ in "kv"]
    judged = batch == 1 or length > 1 or total > 1  # else onnxruntime 1.32 reads places it has not written
    rotary = size == 16 and judged and d.flag()
    angles = [d.within((most, 8), -1, 1) for _ in "cs"] if rotary else [None, None]
    whole = d.flag()
    parts = [(heads + 2 * groups) * size] if whole else [heads * size, groups * size, groups * size]
    given: list[Any] = [d.within((batch, length, width), -1, 1) for width in parts]
    inputs = [*given, *([None, None] if whole else []), *past, rows, columns]
    inputs += [np.asarray([total], np.int32), lengths.astype(np.int32), *angles]
    more = {"num_heads": heads, "kv_num_heads": groups, "sparse_block_size": side, "scale": d.maybe(0.3)}
    more |= {"do_rotary": int(rotary), "rotary_interleaved": d.integer(0, 1)}
    return Call(inputs, 3, sharing((3, 4), (1, 2)), size * 4, 8.0, zeros=False, **more)


@recipe("AttnLSTM", domain=CONTRIB, types="f32")
def attn_lstm(d: Draw) -> Call:
    direction, hidden, width, size = d.one_of("forward", "reverse", "bidirectional"), 3, 4, d.one_of(2, 5)
    steps, batch, memory, depth = d.integer(1, 4), d.integer(1, 3), d.integer(1, 4), d.one_of(2, 3)
    ways, layer = 2 if direction == "bidirectional" else 1, d.maybe(d.one_of(2, 6))
    read = depth if layer is None else layer
    x, seen = d.within((steps, batch, width), -1, 1), d.within((batch, memory, depth), -1, 1)
    w, r = (d.within((ways, 4 * hidden, n), -1, 1) for n in (width + read, hidden))
    bias = d.maybe(d.within((ways, 8 * hidden), -1, 1))
    least = int(d.integer(0, 7) > 0)
    lengths = d.maybe(d.within((batch,), least, steps, np.int32))
    states = [d.maybe(d.within((ways, batch, hidden), -1, 1)) for _ in "hc"]
    peepholes = d.maybe(d.within((ways, 3 * hidden), -1, 1))
    asks = [d.within((ways, n, size), -1, 1) for n in (hidden, depth)]
    inputs = [x, w, r, bias, lengths, *states, peepholes, *asks, d.within((ways, size), -1, 1), seen]
    inputs.append(d.maybe(d.within((batch,), least, memory, np.int32)))
    invalid = any(given is not None and not given.all() for given in (lengths, inputs[-1]))
    inputs.append(None if layer is None else d.within((ways, hidden + depth, layer), -1, 1))
    more = {"direction": direction, "hidden_size": hidden, "invalid": "a length is 0" if invalid else ""}
    return Call(inputs, 3, peer, 64, 8.0, zeros=False, **more)
