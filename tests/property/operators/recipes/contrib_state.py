"""Calls of the operators of com.microsoft of recent language models and decoders, beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, Fixed, recipe

CONTRIB = "com.microsoft"
RULES = ("linear", "gated", "delta", "gated_delta")


def past(d: Draw, shape: tuple[int, ...], dtype: Any = None) -> Array | None:
    return d.maybe(d.within(shape, -1, 1, dtype))


@recipe("LinearAttention", domain=CONTRIB, types="f32 f16")
def linear_attention(d: Draw) -> Call:
    queries, keys = d.one_of((1, 1), (2, 2), (4, 2), (1, 3))
    batch, steps, width, depth = d.integer(1, 2), d.integer(1, 6), d.one_of(1, 4, 9), d.one_of(1, 5, 16)
    rule = d.one_of(*RULES)
    q, k = (d.within((batch, steps, heads * width), -0.5, 0.5) for heads in (queries, keys))
    v = d.within((batch, steps, keys * depth), -1, 1)
    columns = keys * width if d.flag() else keys
    decay = d.within((batch, steps, columns), -2, 0) if "gated" in rule else None
    beta = d.within((batch, steps, d.one_of(1, keys)), 0, 1) if "delta" in rule else None
    state = past(d, (batch, keys, width, depth))
    attributes = {"q_num_heads": queries, "kv_num_heads": keys, "scale": d.maybe(0.3)}
    inputs = [q, k, v, state, decay, beta]
    return Call(inputs, 2, peer, steps * width, 8.0, update_rule=rule, **attributes)


@recipe("GatedDeltaNet", domain=CONTRIB, types="f32 f16")
def gated_delta_net(d: Draw) -> Call:
    heads, values = d.one_of((1, 1), (2, 2), (2, 4))
    batch, steps, width, depth = d.integer(1, 2), d.integer(1, 5), d.one_of(1, 4, 9), d.one_of(1, 5, 16)
    rule, gate, apart = d.one_of(*RULES), d.one_of("none", "softplus", "sigmoid"), d.flag()
    lead = (batch, steps) if apart else (batch * steps,)
    q, k = (d.within((*lead, heads, width), -0.5, 0.5) for _ in "qk")
    v = d.within((*lead, values, depth), -1, 1)
    whole = (values, width) if d.flag() else (values,)
    decay = d.within((*lead, *whole), -2, 0) if "gated" in rule else None
    beta = d.within((*lead, values), 0, 1) if "delta" in rule else None
    state = d.within((batch, values, depth, width), -1, 1, np.float32)
    fed = state if not apart or d.flag() else None
    rates: list[Array | None] = [None, None]
    if decay is None:
        gate = "none"
    elif gate != "none":
        rates = [d.within((values,), -1, 1, np.float32) for _ in "ab"]
    attributes: dict[str, Any] = {"update_rule": rule, "gate_activation": gate, "qk_l2_norm": int(d.flag())}
    attributes["beta_activation"] = d.one_of("none", "sigmoid")
    return Call([q, k, v, None, decay, beta, fed, *rates], 2, peer, steps * width, 16.0, **attributes)


@recipe("HyperConnectionPreMix", "HyperConnectionPostMix", domain=CONTRIB, types="f32 f16")
def hyper_connection(d: Draw) -> Call:
    lead, streams, width = d.shape(0, 2, 1, 3), d.one_of(1, 2, 4), d.one_of(2, 9, 16)
    flat = d.flag()
    x = d.within((*lead, streams * width) if flat else (*lead, streams, width), -2, 2)
    shapes = [(*lead, streams)] if flat else [(*lead, streams), (*lead, streams, 1), (*lead, streams, width)]
    gates = d.within(d.one_of(*shapes), -1, 1)
    branches = {"num_branches": streams} if flat else {}
    if d.operator == "HyperConnectionPreMix":
        return Call([x, gates], 1, peer, streams, 4.0, reduction_scale=d.maybe(0.5), **branches)
    block, mix = d.within((*lead, width), -2, 2), d.maybe(d.within((*lead, streams, streams), -1, 1))
    return Call([x, block, gates, mix], 1, peer, streams, 8.0, **branches)


@recipe("EngramGate", domain=CONTRIB, types="f32 f16")
def engram_gate(d: Draw) -> Call:
    lead, streams, width = (d.integer(1, 2), d.integer(1, 3)), d.integer(1, 3), d.one_of(*WIDTHS)
    key, query = (d.within((*lead, streams, width), -2, 2) for _ in "kq")
    value, scales = d.within((*lead, width), -2, 2), [d.within((streams, width), 0.5, 2) for _ in "kqc"]
    results = d.integer(1, 2)
    inputs = [key, query, value, *scales[: 1 + results]]
    return Call(inputs, results, peer, width, 16.0, epsilon=d.maybe(1e-3))


@recipe("MoEGroupRouter", domain=CONTRIB, types="f32")
def group_router(d: Draw) -> Call:
    groups, size = d.one_of(1, 2, 4), d.one_of(1, 3, 4)
    experts, tokens = groups * size, d.integer(1, 5)
    scores = d.random().permutation(tokens * experts).reshape(tokens, experts)
    logits = (scores / 7 - 2).astype(np.float32)
    bias = d.within((experts,), -0.01, 0.01, np.float32)
    active = d.integer(1, groups)
    attributes = {"n_group": groups, "topk_group": active, "group_topk": d.integer(1, 2)}
    return Call([logits, bias], 1, peer, 4, top_k=d.integer(1, active * size), **attributes)


@recipe("QMoE", domain=CONTRIB, types="f32")
def quantised_experts(d: Draw) -> Call:
    bits, block = d.one_of((4, 0), (4, 16), (8, 0), (2, 16))
    experts, hidden, inner, tokens = d.integer(1, 4), d.one_of(16, 32), d.one_of(16, 32), d.integer(1, 4)
    name = d.one_of("relu", "gelu", "silu", "identity", "swiglu")
    first = inner * (2 if name == "swiglu" else 1)
    shapes = [(first, hidden), (hidden, inner)]
    weights = [d.within((experts, n, k * bits // 8), 0, 255, np.uint8) for n, k in shapes]
    scales = [d.within((experts, n, *((k // block,) if block else ())), 0.01, 0.02) for n, k in shapes]
    biases = [d.maybe(d.within((experts, n), -1, 1)) for n, _ in shapes]
    router = (d.random().permutation(tokens * experts).reshape(tokens, experts) / 5).astype(np.float32)
    attributes: dict[str, Any] = {"expert_weight_bits": bits, "activation_type": name}
    if block:
        attributes["block_size"] = block
    if name == "swiglu":
        attributes |= {"swiglu_fusion": 1, "activation_alpha": 1.702, "activation_beta": 1.0}
        attributes["swiglu_limit"] = 7.0
    attributes["k"] = d.integer(1, experts)
    held = [w for row in zip(weights, scales, biases, strict=True) for w in row]
    x = d.within((tokens, hidden), -1, 1)
    fixed = [None if v is None else Fixed(v) for v in held]
    return Call([x, router, *fixed], 1, peer, hidden + inner, 1000.0, **attributes)


@recipe("NGramHashMapping", domain=CONTRIB, types="i32 i64")
def ngram_hashes(d: Draw) -> Call:
    batch, steps, reach, heads = d.integer(1, 2), d.integer(1, 9), d.integer(1, 3), d.integer(1, 3)

    def whole(shape: tuple[int, ...], low: int, high: int) -> Array:
        return d.within(shape, low, high, np.int64).astype(d.element)

    ids = whole((batch, steps), 0, 9)
    factors, sizes = whole((reach + 1,), 1, 999), whole((reach * heads,), 1, 97)
    before, offsets = (d.maybe(whole(shape, 0, 99)) for shape in ((batch, reach), (reach * heads,)))
    end = d.maybe(np.asarray(3, d.element))
    segments = d.maybe(np.sort(d.within((batch, steps), 0, 2, np.int32), 1))
    attributes = {"max_ngram_size": reach + 1, "n_head_per_ngram": heads, "pad_id": 1}
    inputs = [ids, factors, sizes, before, offsets, end, segments]
    return Call(inputs, 2, peer, reset_on_eos=int(d.flag()), **attributes)


@recipe("BifurcationDetector", domain=CONTRIB, types="i64")
def bifurcation(d: Draw) -> Call:
    length = d.integer(1, 12)
    source, tokens = (d.within((n,), 0, 2, np.int64) for n in (length, d.integer(1, 6)))
    start = d.integer(0, length)
    predicted = np.concatenate([source[start:], [7]])
    predicted[d.integer(0, len(predicted) - 1)] = d.integer(0, 2)
    least = d.integer(1, 3)
    attributes = {"min_ngram_size": least, "max_ngram_size": least + d.integer(0, 2)}
    return Call([source, tokens, np.array([start]), d.maybe(predicted)], 2, peer, **attributes)


@recipe("DynamicTimeWarping", domain=CONTRIB, types="f32")
def time_warping(d: Draw) -> Call:
    lead = (1,) if d.flag() else ()
    return Call([d.within((*lead, d.integer(1, 9), d.integer(1, 9)), -1, 3)], judge=peer)


@recipe("MaxpoolWithMask", domain=CONTRIB, types="f32")
def masked_pool(d: Draw) -> Call:
    rank = d.integer(1, 3)
    x = d.within((d.integer(1, 2), d.integer(1, 3), *(d.integer(3, 7) for _ in range(rank))), -3, 3)
    mask = np.broadcast_to(d.within((1, 1, *x.shape[2:]), 0, 3, np.int64) > 0, (1, 1, *x.shape[2:]))
    pads = [d.integer(0, 1) for _ in range(2 * rank)]
    kernel, strides = ([d.integer(low, 3) for _ in range(rank)] for low in (2, 1))
    given = [x, mask.astype(np.int32)]
    return Call(given, judge=peer, kernel_shape=kernel, strides=strides, pads=pads)


@recipe("SampleOp", domain=CONTRIB, types="f32")
def sample(d: Draw) -> Call:
    return Call([d.array(d.shape())], judge=peer)


@recipe("WordConvEmbedding", domain=CONTRIB, types="f32")
def word_embedding(d: Draw) -> Call:
    words, length, letters, width = d.integer(1, 5), d.integer(2, 9), d.integer(2, 20), d.one_of(1, 4, 9)
    taps, filters = d.integer(1, length), d.one_of(1, 5, 16)
    ends = d.within((words, 1), 0, length, np.int64)
    codes = d.within((words, length), 1, letters - 1, np.int64)
    sequence = np.where(np.arange(length) < ends, codes, 0).astype(np.int32)
    w, b, c = (d.within(shape, -1, 1) for shape in ((filters, 1, taps, width), (filters,), (letters, width)))

    def judge(*_: Any) -> Array:
        y = np.zeros((words, filters))
        for number, row in enumerate(sequence):
            shown = c[row].astype(np.float64)
            if row[0] > 0:
                count = max((row > 0).sum(), taps) - taps + 1
                parts = [np.einsum("fke,ke->f", w[:, 0], shown[j : j + taps]) + b for j in range(count)]
                y[number] = np.tanh(parts).max(0)
        return y.astype(np.float32)

    return Call([sequence, w, b, c], 1, formula(judge, exact=True), taps * width, taps * width * 1.0)
