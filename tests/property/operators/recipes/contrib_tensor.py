"""Calls of the operators of com.microsoft that move, select, hash and cut, beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, Fixed, recipe

CONTRIB = "com.microsoft"


@recipe("Pad", domain=CONTRIB, types="f32")
def pad(d: Draw) -> Call:
    x = d.array(d.shape(1, 3, 2, 6))
    mode = d.one_of("constant", "reflect", "edge")
    least = -1 if mode == "constant" else 0
    pads = np.array([d.integer(least, 1) for _ in range(2 * x.ndim)], np.int64)
    value = d.maybe(d.within(d.one_of((), (1,)), -2, 2)) if mode == "constant" else None
    given = pads.reshape(1, -1) if d.flag() else pads
    return Call([x, Fixed(given) if d.flag() or least else given, value], judge=peer, mode=mode)


@recipe("Unique", domain=CONTRIB, types="f32")
def unique(d: Draw) -> Call:
    x = d.within((d.integer(0, 12),), -3, 3, np.int64).astype(np.float32)
    return Call([x], 3, peer)


@recipe("Inverse", domain=CONTRIB, types="f32 f64 f16")
def inverse(d: Draw) -> Call:
    n = d.one_of(*WIDTHS)
    lead = d.shape(0, 2, 0, 3)
    whole = d.within((*lead, n, n), -1, 1, np.float64) + 2 * n * np.eye(n)
    rows = whole[..., d.random().permutation(n), :].astype(d.element)
    return Call([rows], 1, formula(np.linalg.inv), n, 2.0)


@recipe("CDist", domain=CONTRIB, types="f32 f64")
def cdist(d: Draw) -> Call:
    width, metric = d.one_of(*WIDTHS), d.one_of("sqeuclidean", "euclidean")
    a, b = (d.within((d.integer(1, 9), width), -3, 3) for _ in "ab")

    def judge(a: Array, b: Array) -> Array:
        square = ((a[:, None] - b[None]) ** 2).sum(2)
        return np.asarray(square if metric == "sqeuclidean" else np.sqrt(square))

    return Call([a, b], 1, formula(judge), width, metric=metric)


@recipe("Trilu", domain=CONTRIB, types="f32 f64 i64 bool")
def trilu(d: Draw) -> Call:
    x, upper = d.array(d.shape(2, 4)), int(d.flag())
    k = d.maybe(np.asarray(d.integer(-3, 3), np.int64))

    def judge(x: Array, k: Array | None = None) -> Array:
        return (np.triu if upper else np.tril)(x, 0 if k is None else int(k))

    return Call([x, k], judge=formula(judge, exact=True), upper=upper)


@recipe("GatherND", domain=CONTRIB, types="f32 i64 u8 bool")
def gather_nd(d: Draw) -> Call:
    x = d.array(d.shape(1, 4, 1, 5))
    depth = d.integer(1, x.ndim)
    lead = d.shape(0, 2, 0, 4)
    columns = [d.within(lead, -n, n - 1, np.int64) for n in x.shape[:depth]]
    index = np.stack(columns, -1).reshape(*lead, depth)
    index = index.astype(d.one_of(np.int64, np.int32))

    def judge(x: Array, index: Array) -> Array:
        return np.asarray(x[tuple(np.moveaxis(index, -1, 0))])

    return Call([x, index], judge=formula(judge, exact=True))


@recipe("ExpandDims", domain=CONTRIB, types="f32 i64 bool")
def expand_dims(d: Draw) -> Call:
    x = d.array(d.shape(0, 3))
    axis = d.integer(-x.ndim - 1, x.ndim)
    inputs = [x, Fixed(np.asarray(axis, np.int32))]
    return Call(inputs, judge=formula(lambda x, a: np.expand_dims(x, int(a)), exact=True))


@recipe("Range", domain=CONTRIB, types="f32 f64 i32 i64 i16")
def range_(d: Draw) -> Call:
    start, delta = d.integer(-5, 5), d.one_of(1, 2, -1, 3)
    limit = start + d.integer(-3, 12)
    step = d.maybe(np.asarray(delta, d.element))

    def judge(start: Array, limit: Array, delta: Array | None = None) -> Array:
        return np.arange(start, limit, 1 if delta is None else delta).astype(d.element)

    inputs = [np.asarray(start, d.element), np.asarray(limit, d.element), step]
    return Call(inputs, judge=formula(judge, exact=True))


@recipe("UnfoldTensor", domain=CONTRIB, types="f32 i64 u8 bool")
def unfold_tensor(d: Draw) -> Call:
    x = d.array(d.shape(1, 4, 1, 9))
    dim = d.axis(x.ndim)
    size, step = d.integer(1, x.shape[dim]), d.integer(1, 3)

    def judge(x: Array) -> Array:
        views = np.lib.stride_tricks.sliding_window_view(x, size, dim)
        at = dim % x.ndim
        return np.take(views, np.arange(0, views.shape[at], step), at)

    return Call([x], judge=formula(judge, exact=True), dim=dim, size=size, step=step)


@recipe("MurmurHash3", domain=CONTRIB, types="i32 u32 i64 u64 f32 f64 string")
def murmur_hash(d: Draw) -> Call:
    seed, positive = d.one_of(0, 7, 2**31 - 1), d.one_of(1, 0)
    return Call([d.array(d.shape())], judge=peer, seed=seed, positive=positive)


@recipe("Tokenizer", domain=CONTRIB, types="string")
def tokenizer(d: Draw) -> Call:
    x = d.array(d.shape(1, 2, 1, 5))
    how: dict[str, Any] = d.one_of(
        {"separators": [" "]},
        {"separators": ["a", "b|,"]},
        {"separators": [""]},
        {"tokenexp": "."},
        {"tokenexp": "[a-z]+"},
        {"tokenexp": "a|ab"},
    )
    least = d.one_of(1, 2) if how.get("separators") != [""] and how.get("tokenexp") != "." else 1
    return Call([x], judge=peer, mark=d.one_of(0, 1), pad_value="#", mincharnum=least, **how)


@recipe("NGramRepeatBlock", domain=CONTRIB, types="i64")
def ngram_repeat_block(d: Draw) -> Call:
    batch, words, size = d.integer(1, 3), d.integer(1, 5), d.integer(1, 4)
    ids = d.within((batch, d.integer(1, 12)), 0, words - 1)
    scores = d.within((batch, words), -3, 3, np.float32)

    def judge(ids: Array, scores: Array) -> Array:
        y = scores.copy()
        for row, tokens in enumerate(ids.tolist()):
            last = tokens[len(tokens) - size + 1 :]
            for at in range(len(tokens) - size + 1):
                if tokens[at : at + size - 1] == last:
                    y[row, tokens[at + size - 1]] = -np.inf
        return y

    return Call([ids, scores], judge=formula(judge, exact=True), ngram_size=size)


@recipe("CropAndResize", domain=CONTRIB, types="f32")
def crop_and_resize(d: Draw) -> Call:
    x = d.within((d.integer(1, 3), d.one_of(1, 3, 17), d.integer(1, 9), d.integer(1, 9)), -3, 3)
    count = d.integer(1, 4)
    # Sixty-fourths, so that the engines round no place to different pixels.
    rois = (d.within((count, 4), -16, 80, np.int64) / 64).astype(np.float32)
    index = d.within((count,), 0, x.shape[0] - 1, np.int32)
    size = np.array([d.integer(1, 5), d.integer(1, 5)], np.int32)
    attributes = {"mode": d.one_of("bilinear", "nearest"), "extrapolation_value": d.one_of(0.0, 2.5)}
    return Call([x, rois, index, size], 1, peer, 4, 20.0, **attributes)
