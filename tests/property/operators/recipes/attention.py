"""Calls of attention and of what belongs to it, in both domains."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import called, formula, peer, wide
from tests.property.operators.recipe import Call, Fixed, recipe

CONTRIB = "com.microsoft"


@recipe("Attention", types="f32 f16 f64")
def attention(d: Draw) -> Call:
    batch, groups, share = d.integer(1, 2), d.integer(1, 3), d.integer(1, 3)
    rows, keys, size, depth = d.integer(1, 5), d.integer(1, 6), d.one_of(1, 4, 16, 17), d.one_of(4, 3, 16)
    heads, flat = groups * share, d.flag()
    past = d.one_of(0, 0, 1, 3)
    shapes = ((heads, rows, size), (groups, keys, size), (groups, keys, depth))
    q, k, v = (d.within((batch, *shape), -2, 2) for shape in shapes)
    states: list[Any] = [None, None]
    if past:
        states = [d.within((batch, groups, past, n), -2, 2) for n in (size, depth)]
    elif d.opset >= 24 and d.flag():
        states += [d.within((batch,), 0, keys, np.int64)]
    attributes: dict[str, Any] = {"scale": d.maybe(0.25), "softcap": d.one_of(None, None, 2.0)}
    attributes["is_causal"] = d.maybe(1)
    if d.opset >= 25:
        attributes |= {side: d.one_of(None, None, 0, 2) for side in ("left_window_size", "right_window_size")}
    if flat:
        attributes |= {"q_num_heads": heads, "kv_num_heads": groups}
        q, k, v = (t.swapaxes(1, 2).reshape(batch, t.shape[2], -1) for t in (q, k, v))
    total = keys + past
    outputs = [True, bool(past), bool(past), d.flag()]
    if outputs[3]:
        # The reference caps what mode 0 gives, which is the product itself.
        attributes["qk_matmul_output_mode"] = d.integer(1 if attributes["softcap"] else 0, 3)
    # The reference takes a mask of one row for that of the first query if it is causal.
    of = rows if attributes["is_causal"] else d.one_of(rows, 1)
    inputs = [q, k, v, attention_mask(d, batch, heads, of, total), *states]
    return Call(inputs, outputs, wide, size + total, 16.0, zeros=False, **attributes)


def attention_mask(d: Draw, batch: int, heads: int, rows: int, total: int) -> Array | None:
    """Flags or numbers for pairs of a query and a key, some of which see no key; the last keys may lack."""
    kind = d.one_of(None, "bool", "float")
    if kind is None:
        return None
    lead = d.one_of((), (1,), (heads,), (batch, 1), (1, heads), (batch, heads))
    shape = (*lead, rows, max(total - d.one_of(0, 0, 1), 1))
    if kind == "bool":
        return d.array(shape, np.bool_)
    numbers = d.within(shape, -3, 3)
    return np.where(d.array(shape, np.bool_), -np.inf, numbers).astype(d.element) if d.flag() else numbers


@recipe("RotaryEmbedding", types="f32 f16")
def rotary_embedding(d: Draw) -> Call:
    batch, heads, steps = d.integer(1, 2), d.integer(1, 3), d.integer(1, 5)
    half, rest = d.integer(1, 4), d.one_of(0, 0, 2)
    size = 2 * half + rest
    x = d.within((batch, heads, steps, size), -2, 2)
    attributes: dict[str, Any] = {"interleaved": d.one_of(0, 1)}
    if rest or d.flag():
        attributes["rotary_embedding_dim"] = 2 * half
    if d.flag():
        x = x.swapaxes(1, 2).reshape(batch, steps, heads * size)
        attributes["num_heads"] = heads
    places = d.maybe(d.within((batch, steps), 0, 6, np.int64))
    shape = (batch, steps, half) if places is None else (7, half)
    return Call([x, d.within(shape, -1, 1), d.within(shape, -1, 1), places], 1, wide, 2, 4.0, **attributes)


# ---- com.microsoft


def caches(d: Draw, half: int, room: int = 32) -> list[Array]:
    """Cosines and sines of all positions."""
    angles = d.within((room, half), -3, 3, np.float64)
    return [np.cos(angles).astype(d.element), np.sin(angles).astype(d.element)]


@recipe("RotaryEmbedding", domain=CONTRIB, types="f32")
def rotary_embedding_of_the_peer(d: Draw) -> Call:
    batch, heads, steps, half = d.integer(1, 2), d.integer(1, 3), d.integer(1, 5), d.one_of(4, 8, 16)
    x = d.within((batch, heads, steps, 2 * half), -2, 2)
    attributes: dict[str, Any] = {"interleaved": d.one_of(0, 1)}
    if d.flag():
        x = x.swapaxes(1, 2).reshape(batch, steps, heads * 2 * half)
        attributes |= d.one_of({}, {"num_heads": heads, "rotary_embedding_dim": 2 * half})
    shape = (1,) if d.flag() else (batch, steps)
    places = d.within(shape, 0, 20, np.int64)
    return Call([x, places, *caches(d, half)], 1, peer, 2, 4.0, **attributes)


@recipe("MRotaryEmbedding", domain=CONTRIB, types="f32")
def multimodal_rotary_embedding(d: Draw) -> Call:
    batch, heads, steps, half = d.integer(1, 2), d.integer(1, 3), d.integer(1, 5), d.one_of(8, 16)
    x = d.within((batch, heads, steps, 2 * half), -2, 2)
    part = half // 4
    attributes: dict[str, Any] = {"interleaved": d.one_of(0, 1), "mrope_layout": d.one_of(0, 1)}
    attributes["mrope_section"] = [half - 2 * part, part, part]
    places = d.within((3, batch, steps), 0, 20, np.int64)
    return Call([x, places, *caches(d, half)], 1, peer, 2, 4.0, **attributes)


def key_mask(d: Draw, batch: int, rows: int, keys: int) -> Array | None:
    """Lengths, flags of keys or flags of pairs; every query sees a key."""
    kind = d.one_of("none", "lengths", "keys", "pairs", "lengths and places")
    if kind == "none":
        return None
    if kind.startswith("lengths"):
        lengths = d.within((batch,), 1, keys, np.int32)
        places = d.within((2 * batch + 2,), 0, keys, np.int32)
        return lengths if kind == "lengths" else np.concatenate([lengths, places])
    shape = (batch, keys) if kind == "keys" else (batch, rows, keys)
    flags = d.within(shape, 0, 1, np.int32)
    flags[..., 0] = 1
    return flags


@recipe("MultiHeadAttention", domain=CONTRIB, types="f32")
def multi_head_attention(d: Draw) -> Call:
    batch, heads, size = d.integer(1, 2), d.integer(1, 3), d.one_of(4, 16, 17)
    rows, keys = d.integer(1, 5), d.integer(1, 6)
    width, packed = heads * size, d.one_of("no", "no", "qkv", "kv")
    q, k, v = (d.within((batch, n, width), -2, 2) for n in (rows, keys, keys))
    attributes: dict[str, Any] = {"num_heads": heads, "scale": d.maybe(0.25)}
    if packed == "no" and d.integer(0, 3) == 3:
        past, rows = d.integer(0, 3), 1
        states = [d.within((batch, heads, past + rows + d.integer(0, 3), size), -2, 2) for _ in "kv"]
        states = [states[0], d.within(states[0].shape, -2, 2)]
        q, k, v = (d.within((batch, rows, width), -2, 2) for _ in "qkv")
        inputs = [q, k, v, None, None, None, *states, np.array([past], np.int32)]
        return Call(inputs, 3, peer, size + past + rows, 16.0, **attributes)
    if packed == "no":
        mask = key_mask(d, batch, rows, keys)
        bias = d.maybe(d.within((3 * width,), -1, 1))
        added = d.maybe(d.within((d.one_of(1, batch), d.one_of(1, heads), rows, keys), -2, 2))
        return Call([q, k, v, bias, mask, added], 1, peer, size + keys, 16.0, **attributes)
    scale = attributes["scale"] or 1 / np.sqrt(size)
    causal = packed == "qkv" and d.flag()

    def judge(*parts: Array) -> Array:
        if packed == "qkv":
            heads_of = [parts[0][:, :, :, n] for n in range(3)]
        else:
            heads_of = [parts[0].reshape(batch, rows, heads, size), *(parts[1][:, :, :, n] for n in (0, 1))]
        a, b, c = (t.swapaxes(1, 2) for t in heads_of)
        scores = a @ b.swapaxes(2, 3) * scale
        if causal:
            scores = np.where(np.tri(rows), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        y = (weights / weights.sum(-1, keepdims=True)) @ c
        return y.swapaxes(1, 2).reshape(batch, rows, width)

    if packed == "kv":
        inputs = [q, np.stack([t.reshape(batch, keys, heads, size) for t in (k, v)], 3)]
    else:
        inputs = [d.within((batch, rows, heads, 3, size), -2, 2)]
        attributes["unidirectional"] = int(causal)
    return Call(inputs, 1, formula(judge), size + keys + rows, 16.0, **attributes)


@recipe("DecoderMaskedMultiHeadAttention", domain=CONTRIB, types="f32")
def decoder_masked_multi_head_attention(d: Draw) -> Call:
    batch, heads, size = d.integer(1, 2), d.integer(1, 3), d.one_of(4, 16)
    past, width = d.integer(0, 5), heads * size
    room = past + d.integer(1, 4)
    q, k, v = (d.within((batch, 1, width), -2, 2) for _ in "qkv")
    attributes: dict[str, Any] = {"num_heads": heads, "scale": d.maybe(0.25)}
    if d.integer(0, 3) == 3:
        states = [d.within((batch, heads, room, size), -2, 2) for _ in "kv"]
        return Call([q, *states], 1, peer, size + room, 16.0, **attributes)
    mask = d.maybe(d.within((batch, past + 1), 0, 1, np.int32))
    if mask is not None:
        mask[:, 0] = 1
    added = d.maybe(d.within((1, heads, 1, past + 1), -2, 2))
    states = [d.within((batch, heads, room, size), -2, 2) for _ in "kv"]
    bias = d.maybe(d.within((3 * width,), -1, 1))
    inputs = [q, k, v, mask, added, *states, np.array([past], np.int32), None, None, bias]
    return Call(inputs, 3, peer, size + past, 16.0, past_present_share_buffer=1, **attributes)


@recipe("Attention", domain=CONTRIB, types="f32")
def attention_of_the_peer(d: Draw) -> Call:
    batch, heads, size, rows = d.integer(1, 2), d.integer(1, 3), d.one_of(4, 16), d.integer(1, 5)
    inner, past = d.one_of(1, 8, 17), d.one_of(0, 0, 3)
    width = heads * size
    x, w = d.within((batch, rows, inner), -1, 1), d.within((inner, 3 * width), -1, 1)
    b, causal = d.within((3 * width,), -1, 1), d.one_of(0, 1)
    state = d.within((2, batch, heads, past, size), -1, 1) if past else None
    mask = None if past else key_mask(d, batch, rows, rows)
    added = None if past else d.maybe(d.within((1, heads, rows, rows), -2, 2))
    attributes: dict[str, Any] = {"num_heads": heads, "unidirectional": causal, "scale": d.maybe(0.25)}
    inputs = [x, Fixed(w), Fixed(b), mask, state, added]
    return Call(inputs, 2 if past else 1, peer, inner + size + rows, 16.0, **attributes)


@recipe("QAttention", domain=CONTRIB, types="u8")
def quantized_attention(d: Draw) -> Call:
    batch, heads, size, rows = d.integer(1, 2), d.integer(1, 3), d.one_of(4, 16), d.integer(1, 5)
    inner, width = d.one_of(4, 8, 17), heads * size
    info = np.iinfo(d.element)
    x = d.within((batch, rows, inner), int(info.min), int(info.max))
    w = d.within((inner, 3 * width), -128, 127, np.int8)
    b = d.within((3 * width,), -1, 1, np.float32)
    scales = [np.asarray(v, np.float32) for v in (0.01, 0.005)]
    zeros = [d.within((), int(info.min), int(info.max)), np.zeros((), np.int8)]
    mask = d.maybe(d.within((batch,), 1, rows, np.int32))
    inputs = [x, Fixed(w), Fixed(b), *map(Fixed, scales), mask, *map(Fixed, zeros)]
    attributes = {"num_heads": heads, "unidirectional": d.one_of(0, 1)}
    real = [(v.astype(np.float32) - z) * s for v, z, s in zip((x, w), zeros, scales, strict=True)]

    def judge(*_: Any) -> list[Any]:
        return called("Attention", CONTRIB, {"x": real[0], "w": real[1], "b": b, "m": mask}, **attributes)

    return Call(inputs, 1, judge, inner + size + rows, 16.0, **attributes)


@recipe("GroupQueryAttention", domain=CONTRIB, types="f32")
def group_query_attention(d: Draw) -> Call:
    batch, groups, share, half = d.integer(1, 2), d.integer(1, 2), d.integer(1, 3), d.one_of(8, 16)
    size, heads = 2 * half, groups * share
    past = d.one_of(0, 5, 3)
    rows = 1 if past else d.integer(1, 5)
    room = past + d.one_of(0, 0, 4) if past else 0
    q, k, v = (d.within((batch, rows, n * size), -2, 2) for n in (heads, groups, groups))
    ends = np.full(batch, past + rows - 1, np.int32)
    states = [d.within((batch, groups, room, size), -2, 2) for _ in "kv"]
    attributes: dict[str, Any] = {"num_heads": heads, "kv_num_heads": groups, "scale": d.maybe(0.25)}
    attributes |= {"softcap": d.one_of(None, 2.0), "local_window_size": d.one_of(None, 3)}
    turn: list[Any] = [None, None]
    if d.flag():
        turn = caches(d, half)
        attributes |= {"do_rotary": 1, "rotary_interleaved": d.one_of(0, 1)}
    inputs: list[Any] = [q, k, v, *states, ends, np.asarray(past + rows, np.int32), *turn]
    if d.flag():
        inputs[:3] = [np.concatenate([q, k, v], 2), None, None]
    if d.integer(0, 3) == 3:
        attributes["smooth_softmax"] = 1
    if d.integer(0, 2) == 2:
        kind, bits = d.one_of("PER_TENSOR", "PER_CHANNEL"), d.one_of(8, 4)
        shape = (1,) if kind == "PER_TENSOR" else (1, groups, 1, size)
        room_shape = (batch, groups, room, size if bits == 8 else half)
        bounds, dtype = ((-128, 127), np.int8) if bits == 8 else ((0, 255), np.uint8)
        inputs[3:5] = [d.within(room_shape, *bounds, dtype) for _ in "kv"]
        inputs += [None] * (12 - len(inputs))
        inputs += [d.within(shape, 0.01 * 2 ** (8 - bits), 0.03 * 2 ** (8 - bits)) for _ in "kv"]
        attributes |= {"k_quant_type": kind, "v_quant_type": kind, "kv_cache_bit_width": bits}
    asked = d.one_of(0, 1, 2)
    attributes["qk_output"] = asked
    outputs = (True, True, True, bool(asked))
    return Call(inputs, outputs, peer, size + past + rows, 16.0, **attributes)


@recipe("EmbedLayerNormalization", domain=CONTRIB, types="f32")
def embed_layer_normalization(d: Draw) -> Call:
    batch, steps, width = d.integer(1, 3), d.integer(1, 5), d.one_of(*WIDTHS[2:])
    ids = d.within((batch, steps), 0, 9, np.int32)
    segments = d.maybe(d.within((batch, steps), 0, 1, np.int32))
    tables = [d.within((n, width), -2, 2) for n in (10, 8, 2)]
    scale, shift = (Fixed(d.within((width,), -2, 2)) for _ in "gb")
    mask = d.maybe(np.tril(np.ones((batch, steps), np.int32), d.integer(0, 4)))
    places = d.maybe(d.within((batch, steps), 0, 7, np.int32))
    inputs = [ids, segments, *map(Fixed, tables[:2]), None if segments is None else Fixed(tables[2])]
    inputs += [scale, shift, mask, places]
    outputs = (True, mask is not None, d.flag())
    return Call(inputs, outputs, peer, width, 200.0, epsilon=2.0**-17)


@recipe("QEmbedLayerNormalization", domain=CONTRIB, types="f32")
def quantised_embed_layer_normalization(d: Draw) -> Call:
    batch, steps, width = d.integer(1, 3), d.integer(1, 5), d.one_of(*WIDTHS[2:])
    ids, segments = (d.within((batch, steps), 0, n, np.int32) for n in (9, 1))
    kind = np.dtype(d.one_of(np.uint8, np.int8))
    shapes = ((10, width), (8, width), (2, width), (width,), (width,))
    info = np.iinfo(kind)
    tables = [Fixed(d.within(shape, int(info.min), int(info.max), kind)) for shape in shapes]
    scales = [Fixed(np.asarray(v, np.float32)) for v in (0.01, 0.02, 0.03, 0.01, 0.02)]
    zeros = [Fixed(d.within((), int(info.min), int(info.max), kind)) for _ in shapes]
    mask = d.maybe(np.tril(np.ones((batch, steps), np.int32), d.integer(0, 4)))
    inputs = [ids, segments, *tables, mask, *scales, *zeros]
    return Call(inputs, 2, peer, width, 200.0, epsilon=2.0**-17)


@recipe("MatMulNBits", domain=CONTRIB, types="f32")
def matmul_nbits(d: Draw) -> Call:
    bits, block, n = d.one_of(4, 8, 2), d.one_of(16, 32), d.one_of(*WIDTHS)
    k = d.one_of(16, 32, 40, 70)
    blocks = -(-k // block)
    a = d.within((*d.shape(0, 2, 0, 3), d.one_of(1, 2, 17), k), -1, 1)
    b = d.within((n, blocks, block * bits // 8), 0, 255, np.uint8)
    scale = d.within((n, blocks), 0.01, 0.1)
    packed = d.within((n, -(-blocks * bits // 8)), 0, 255, np.uint8)
    zeros: Any = d.one_of(None, packed, packed if bits == 8 else d.within((n, blocks), 0, 9))
    bias = d.maybe(Fixed(d.within((n,), -1, 1)))
    inputs = [a, Fixed(b), Fixed(scale), None if zeros is None else Fixed(zeros), None, bias]
    most = 0.1 * 2**bits * k
    return Call(inputs, 1, peer, k, most, K=k, N=n, bits=bits, block_size=block)


@recipe("MatMulBnb4", domain=CONTRIB, types="f32")
def matmul_bnb4(d: Draw) -> Call:
    n, k = d.one_of(*WIDTHS), d.one_of(16, 17, 40)
    a = d.within((*d.shape(0, 2, 0, 3), d.one_of(1, 2, 17), k), -1, 1)
    b = d.within(((n * k + 1) // 2,), 0, 255, np.uint8)
    scale = d.within((-(-n * k // 16),), 0.1, 2)
    attributes = {"K": k, "N": n, "block_size": 16, "quant_type": d.one_of(0, 1)}
    return Call([a, Fixed(b), Fixed(scale)], 1, peer, k, 2.0 * k, **attributes)


@recipe("GatherBlockQuantized", domain=CONTRIB, types="f32")
def gather_block_quantized(d: Draw) -> Call:
    rows, width, block = d.integer(1, 9), d.one_of(16, 20, 40), 16
    bits = d.one_of(4, 8, 2)
    blocks = -(-width // block)
    table = d.within((rows, width * bits // 8), 0, 255, np.uint8)
    zeros = d.maybe(d.within((rows, -(-blocks * bits // 8)), 0, 255, np.uint8))
    index = d.within(d.shape(0, 2, 1, 4), -rows, rows - 1, d.one_of(np.int64, np.int32))
    inputs = [Fixed(table), index, Fixed(d.within((rows, blocks), 0.01, 1))]
    more = {"bits": bits, "block_size": block, "quantize_axis": 1, "gather_axis": 0}
    return Call([*inputs, None if zeros is None else Fixed(zeros)], judge=peer, zeros=False, **more)
