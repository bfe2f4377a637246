"""Calls of operators that ONNX took back, beside onnxruntime, which still has them."""

from __future__ import annotations

import numpy as np

from tests.property.operators.draw import Draw
from tests.property.operators.judges import peer
from tests.property.operators.recipe import Call, Fixed, recipe


@recipe("Affine", "Scale", "ScaledTanh", "ParametricSoftplus", types="f32")
def formulas(d: Draw) -> Call:
    x = d.within(d.shape(1, 3), -3, 3)
    names = ("scale",) if d.operator == "Scale" else ("alpha", "beta")
    given = {name: d.one_of(0.5, 1.0, 1.5, -0.25) for name in names}
    if d.operator == "Affine" and d.flag():
        del given["alpha"]
    return Call([x], judge=peer, length=1, magnitude=10.0, **given)


@recipe("ImageScaler", types="f32")
def image_scaler(d: Draw) -> Call:
    x = d.within((d.integer(1, 3), channels := d.integer(1, 9), d.integer(1, 5), d.integer(1, 5)), -3, 3)
    wrong = d.flag() and d.flag()
    bias = [d.one_of(0.5, -1.0, 2.0) for _ in range(channels + wrong)]
    text = "biases for images" if wrong else ""
    return Call([x], judge=peer, length=1, magnitude=10.0, bias=bias, scale=d.one_of(0.5, 2.0), invalid=text)


@recipe("Crop", types="f32")
def crop(d: Draw) -> Call:
    x = d.within((1, 2, height := d.integer(2, 6), width := d.integer(2, 6)), -3, 3)
    left, top = d.integer(0, 2), d.integer(0, 2)
    right, bottom = d.integer(0, width - left), d.integer(0, height - top)
    scale = None if d.flag() else [d.integer(0, height - top), d.integer(0, width - left)]
    return Call([x], judge=peer, border=[left, top, right, bottom], scale=scale)


@recipe("DynamicSlice", types="f32 i64")
def dynamic_slice(d: Draw) -> Call:
    x = d.array(d.shape(1, 3, 1, 6))
    axes = [a for a in range(x.ndim) if d.flag()] or [0]
    starts, ends = ([d.integer(-n - 2, n + 2) for n in x.shape[: len(axes)]] for _ in "se")
    values = [np.asarray(v, np.int64) for v in (starts, ends, axes)]
    if axes == list(range(len(axes))) and d.flag():
        values.pop()
    return Call([x, *(Fixed(v) for v in values)], judge=peer)
