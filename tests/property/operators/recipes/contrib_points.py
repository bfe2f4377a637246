"""Calls of com.microsoft's operators of points that are formulas of real numbers, beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS, windows
from tests.property.operators.draw import Draw
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, Fixed, recipe
from tests.property.operators.recipes.quantised import any_points, scale

CONTRIB = "com.microsoft"


def quantised(d: Draw, factor: float = 1.0) -> list[Any]:
    """A scale and a zero point."""
    return [Fixed(scale(d, 0, factor)), Fixed(any_points(d, ()))]


@recipe("QLinearAdd", "QLinearMul", domain=CONTRIB, types="u8 i8")
def binary(d: Draw) -> Call:
    a, b = (any_points(d, shape) for shape in d.broadcasting(2, 3, 1))
    factor = 20.0 if d.operator == "QLinearMul" else 2.0
    return Call([a, *quantised(d), b, *quantised(d), *quantised(d, factor)], judge=peer, points=1)


@recipe("QLinearSigmoid", "QLinearLeakyRelu", domain=CONTRIB, types="u8 i8")
def unary(d: Draw) -> Call:
    x = any_points(d, d.shape(1, 3, 1, 33))
    attributes = {"alpha": d.one_of(0.25, 0.5)} if d.operator == "QLinearLeakyRelu" else {}
    return Call([x, *quantised(d), *quantised(d, 0.1)], judge=peer, points=1, **attributes)


@recipe("QLinearSoftmax", domain=CONTRIB, types="u8 i8")
def softmax(d: Draw) -> Call:
    x = any_points(d, d.shape(1, 3, 1, 33))
    ends = [Fixed(np.asarray(1 / 256, np.float32)), Fixed(np.asarray(np.iinfo(d.element).min, d.element))]
    inputs = [x, *quantised(d, 0.3), *ends]
    return Call(inputs, judge=peer, points=1, opset=d.one_of(13, 12), axis=d.axis(x.ndim))


@recipe("QLinearAveragePool", domain=CONTRIB, types="u8 i8")
def average_pool(d: Draw) -> Call:
    w = windows(d, dilated=False, small_pads=True)
    x = any_points(d, (d.integer(1, 2), d.one_of(*WIDTHS), *w.n))
    last, attributes = d.one_of(0, 1), w.attributes(d, "dilations", "auto_pad")
    attributes["pads"] = [*w.low, *w.high]
    x = np.moveaxis(x, 1, -1).copy() if last else x
    include = d.one_of(0, 1)
    inputs = [x, *quantised(d), *quantised(d)]
    more = {"channels_last": last, "count_include_pad": include}
    return Call(inputs, judge=peer, points=1, **attributes, **more)


@recipe("QLinearGlobalAveragePool", domain=CONTRIB, types="u8 i8")
def global_average_pool(d: Draw) -> Call:
    x = any_points(d, (d.integer(1, 2), d.one_of(*WIDTHS), *d.shape(1, 2, 1, 9)))
    last = d.one_of(0, 1)
    x = np.moveaxis(x, 1, -1).copy() if last else x
    return Call([x, *quantised(d), *quantised(d)], judge=peer, points=1, channels_last=last)


@recipe("QLinearReduceMean", domain=CONTRIB, types="u8 i8")
def reduce_mean(d: Draw) -> Call:
    x = any_points(d, d.shape(1, 3, 1, 9))
    axes, keepdims = d.axes(x.ndim, 1), d.one_of(0, 1)
    given, result = quantised(d), quantised(d)

    def judge(*_: Any) -> Any:
        real = (x.astype(np.float64) - given[1].value) * given[0].value
        y = real.mean(tuple(axes), keepdims=bool(keepdims)) / result[0].value + 0.0
        info = np.iinfo(d.element)
        return np.asarray((np.rint(y) + result[1].value).clip(info.min, info.max)).astype(d.element)

    inputs = [x, *given, *result]
    return Call(inputs, judge=formula(judge, exact=True), points=1, axes=axes, keepdims=keepdims)


@recipe("QLinearConcat", domain=CONTRIB, types="u8 i8")
def concat(d: Draw) -> Call:
    shape = list(d.shape(1, 3, 1, 6))
    axis = d.axis(len(shape))
    inputs = quantised(d)
    for _ in range(d.integer(1, 3)):
        shape[axis] = d.integer(1, 17)
        inputs += [any_points(d, shape), *quantised(d)]
    return Call(inputs, judge=peer, points=1, axis=axis)


@recipe("QLinearWhere", domain=CONTRIB, types="u8 i8")
def where(d: Draw) -> Call:
    shapes = d.broadcasting(3, 3, 1)
    condition = d.array(shapes[0], np.bool_)
    a, b = (any_points(d, shape) for shape in shapes[1:])
    inputs = [condition, a, *quantised(d), b, *quantised(d), *quantised(d)]
    return Call(inputs, judge=peer, points=1)
