"""Calls of operators that compute each element alone: arithmetic, comparison, logic, bits, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.property.operators.draw import Draw, kind_of
from tests.property.operators.judges import formula, reference, wide
from tests.property.operators.recipe import Call, recipe

Array = np.ndarray[Any, Any]
ERF = np.vectorize(math.erf, otypes=[float])  # the reference computes it in float32
ALIGNED: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": lambda a, b: _quotient(a, b),
    "Pow": np.power,
    "Equal": np.equal,
    "Less": np.less,
    "Greater": np.greater,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}


@recipe(
    *("Abs", "Neg", "Floor", "Ceil", "Sqrt", "Exp", "Log", "Reciprocal", "Not", "Sin", "Cos", "Tan", "Asin"),
    *("Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf", "Sign", "IsNaN", "Round"),
    *("BitwiseNot", "Identity"),
)
def unary(d: Draw) -> Call:
    judge = formula(lambda x: ERF(x).astype(x.dtype)) if d.operator == "Erf" else wide
    return Call([d.array(d.shape())], judge=judge)


def aligned(d: Draw) -> Call:
    """Before opset 7 the shape of b is a part of that of a, which begins at an axis."""
    x = d.array(d.shape(low=1))
    start = d.integer(0, x.ndim)
    stop = d.integer(start, x.ndim)
    b = _divisor(d, x.shape[start:stop]) if d.operator in ("Div", "Pow") else d.array(x.shape[start:stop])
    axis = None if start == x.ndim or (stop == x.ndim and d.flag()) else start
    fits = b.reshape(b.shape + (1,) * (x.ndim - stop))
    compute = ALIGNED[d.operator]
    if x.shape == b.shape and d.flag():
        return Call([x, b], judge=formula(compute))
    return Call([x, b], judge=formula(lambda a, _: compute(a, fits)), axis=axis, broadcast=1)


def _divisor(d: Draw, shape: tuple[int, ...]) -> Array:
    b = d.array(shape)
    return b if kind_of(b.dtype) == "f" else np.where(b == 0, 1, b).astype(b.dtype)


@recipe("Add", "Sub", "Mul", "Equal", "Less", "Greater", "And", "Or", "Xor")
def binary(d: Draw) -> Call:
    if d.opset < 7:
        return aligned(d)
    a, b = d.broadcasting(2)
    return Call([d.array(a), d.array(b)])


@recipe("LessOrEqual", "GreaterOrEqual", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
def binary_without_alignment(d: Draw) -> Call:
    return binary(d)


@recipe("Div")
def divide(d: Draw) -> Call:
    if d.opset < 7:
        return aligned(d)
    shapes = d.broadcasting(2)
    a, b = d.array(shapes[0]), _divisor(d, shapes[1])
    whole = kind_of(b.dtype) in "iu" and 0 not in np.broadcast_shapes(*shapes)
    if not whole or d.integer(0, 9) < 9:
        return Call([a, b], judge=formula(_quotient))
    b.reshape(-1)[d.integer(0, b.size - 1)] = 0
    return Call([a, b], invalid="an integer is divided by 0")


def _quotient(a: Array, b: Array) -> Array:
    """Integers are truncated towards 0; the smallest by -1 wraps."""
    if kind_of(a.dtype) == "f":
        return np.divide(a, b)
    quotient, rest = np.divmod(a, b)
    return np.asarray(quotient + ((rest != 0) & ((a < 0) != (b < 0)))).astype(a.dtype)


@recipe("Pow")
def power(d: Draw) -> Call:
    if d.opset < 7:
        return aligned(d)
    a, b = d.broadcasting(2)
    exponent = d.type("T1") if d.opset > 7 else d.element
    kinds = kind_of(d.element) + kind_of(exponent)
    if kinds == "ff" and exponent == d.element:
        return Call([d.array(a), d.array(b)])
    x = d.within(a, 0, 3)
    return Call([x, d.within(b, 0, 3, exponent)], judge=formula(_power, exact=True))


def _power(a: Array, b: Array) -> Array:
    return np.power(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype)


@recipe("Mod")
def modulo(d: Draw) -> Call:
    """An integer modulo 0 is 0."""
    a, b = d.broadcasting(2)
    fmod = kind_of(d.element) == "f" or d.flag()
    return Call([d.array(a), d.array(b)], judge=reference, fmod=int(fmod) if fmod else d.maybe(0))


@recipe("Sum", "Mean")
def total(d: Draw) -> Call:
    count = d.integer(1, 4)
    shapes = d.broadcasting(count) if d.opset >= 8 else [d.shape()] * count
    xs = [d.array(shape, specials="nonfinite") for shape in shapes]
    scale = count if d.operator == "Mean" else 1
    return Call(xs, judge=formula(lambda *xs: sum(xs[1:], start=xs[0]) / scale), length=count)


@recipe("Max", "Min")
def extremum(d: Draw) -> Call:
    count = d.integer(1, 4)
    shapes = d.broadcasting(count) if d.opset >= 8 else [d.shape()] * count
    return Call([d.array(shape) for shape in shapes], zeros=False)


@recipe("Clip")
def clip(d: Draw) -> Call:
    x = d.array(d.shape())
    if d.opset < 11:
        low, high = d.maybe(-1.5), d.maybe(2.25)
        return Call([x], judge=formula(lambda x: _clipped(x, low, high)), min=low, max=high)
    low, high = (d.maybe(d.array((), specials="none")) for _ in range(2))
    return Call([x, low, high], judge=formula(_clipped), zeros=False)


def _clipped(x: Array, low: Any = None, high: Any = None) -> Array:
    y = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return y if high is None else np.minimum(y, np.asarray(high, x.dtype))


@recipe("Where")
def where(d: Draw) -> Call:
    condition, a, b = d.broadcasting(3)
    element = d.type("T")
    return Call([d.array(condition, bool), d.array(a, element), d.array(b, element)], judge=reference)


@recipe("BitShift")
def shift(d: Draw) -> Call:
    a, b = d.broadcasting(2)
    by = d.within(b, 0, 8 * d.element.itemsize + 2)
    return Call([d.array(a), by], direction=d.one_of("LEFT", "RIGHT"))


@recipe("IsInf")
def is_inf(d: Draw) -> Call:
    signs = [d.maybe(int(d.flag())) for _ in range(2)]
    return Call([d.array(d.shape())], detect_negative=signs[0], detect_positive=signs[1])
