"""Calls of operators that make tensors from sizes and numbers: constants, ranges, windows, random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from onnx import numpy_helper

from sardonyx.base import dtype as dt
from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import Judge, Law, formula
from tests.property.operators.recipe import Call, recipe


def fixed(array: Array) -> Judge:
    """A judge that knows the result from how the call was drawn."""
    return formula(lambda *_: array, exact=True)


@recipe("Constant")
def constant(d: Draw) -> Call:
    """A scalar is drawn too, and each of the attributes that hold lists."""
    kind = d.one_of("value", "int", "ints", "float", "floats", "string", "strings")
    if d.opset < 12 or kind == "value":
        array = d.array(d.shape(), d.type("T"))
        return Call([], judge=fixed(array), value=numpy_helper.from_array(array))
    numbers = {"i": np.int64, "f": np.float32, "s": object}
    array = d.array((d.integer(1, 4),) if kind.endswith("s") else (), numbers[kind[0]], "none")
    return Call([], judge=fixed(array), **{f"value_{kind}": array.tolist()})


@recipe("ConstantOfShape")
def constant_of_shape(d: Draw) -> Call:
    shape = d.shape()
    fill = d.maybe(d.array((1,), d.type("T2")))
    value = np.zeros(1, np.float32) if fill is None else fill
    given = None if fill is None else numpy_helper.from_array(fill)
    judge = fixed(np.full(shape, value[0], value.dtype))
    return Call([np.array(shape, np.int64)], judge=judge, value=given)


@recipe("EyeLike")
def eye_like(d: Draw) -> Call:
    x = d.array(d.shape(2, 2))
    k, to = d.maybe(d.integer(-7, 7)), d.maybe(d.type("T2"))
    eye = np.eye(*x.shape, k or 0).astype(x.dtype if to is None else to)
    return Call([x], judge=fixed(eye), k=k, dtype=None if to is None else dt.by_numpy(to).onnx)


@recipe("Range")
def range_(d: Draw) -> Call:
    whole = kind_of(d.element) in "iu"
    scale = 1 if whole else 4
    start, limit = (d.integer(-20, 20) / scale for _ in range(2))
    step = d.one_of(1, 2, 3, 7, -1, -2, -5) / scale
    count = max(0, int(np.ceil((limit - start) / step)))
    numbers = (start + step * np.arange(count)).astype(d.element)
    given = [np.array(n).astype(d.element) for n in (start, limit, step)]
    return Call(given, judge=fixed(numbers))


WINDOWS = {
    "HannWindow": lambda t: 0.5 - 0.5 * np.cos(2 * np.pi * t),
    "HammingWindow": lambda t: 25 / 46 - 21 / 46 * np.cos(2 * np.pi * t),
    "BlackmanWindow": lambda t: 0.42 - 0.5 * np.cos(2 * np.pi * t) + 0.08 * np.cos(4 * np.pi * t),
}


@recipe(*WINDOWS)
def window(d: Draw) -> Call:
    size, periodic = d.integer(2, 20), d.maybe(int(d.flag()))
    to = d.maybe(d.one_of(*(t for t in (d.type("T2"),) if kind_of(t) == "f"), np.dtype(np.float32)))
    step = np.arange(size) / (size - 1 if periodic == 0 else size)
    numbers = WINDOWS[d.operator](step).astype(np.float32 if to is None else to)
    return Call(
        [np.array(size, d.element)],
        judge=fixed(numbers),
        length=3,
        magnitude=1.0,
        periodic=periodic,
        output_datatype=None if to is None else dt.by_numpy(to).onnx,
    )


ERRORS = 6.0
"""How many standard errors a mean may be off: one of a billion is further."""


def law(shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float, mean: float, sd: float) -> Law:
    """Numbers in low..high with that mean and standard deviation."""
    slack = float(ml_dtypes.finfo(dtype).eps) if kind_of(dtype) == "f" else 0.0

    def holds(y: Array) -> bool:
        if not y.size:
            return True
        inside = y.min() >= low - slack and y.max() <= high + slack * max(1, abs(high))
        spread = ERRORS * sd / np.sqrt(y.size) + slack * (1 + abs(mean))
        return bool(inside and np.isfinite(y).all() and abs(y.mean() - mean) <= spread)

    return Law(dtype, shape, holds, f"in {low}..{high} with mean {mean} and deviation {sd}")


def _drawn(d: Draw) -> tuple[float, float, float | None]:
    return d.one_of(0.0, -1.5, 3.0), d.one_of(1.0, 0.5, 4.0), d.maybe(float(d.integer(0, 99)))


def _results(law: Law) -> Judge:
    return lambda *_: [law]


@recipe("RandomNormal", "RandomNormalLike")
def random_normal(d: Draw) -> Call:
    mean, scale, seed = _drawn(d)
    return _random(d, lambda s, t: law(s, t, -np.inf, np.inf, mean, scale), mean=mean, scale=scale, seed=seed)


@recipe("RandomUniform", "RandomUniformLike")
def random_uniform(d: Draw) -> Call:
    low, width, seed = _drawn(d)
    high, spread = low + width, width / np.sqrt(12)
    middle = (low + high) / 2
    return _random(d, lambda s, t: law(s, t, low, high, middle, spread), low=low, high=high, seed=seed)


def _random(d: Draw, make: Callable[[tuple[int, ...], np.dtype[Any]], Law], **attributes: Any) -> Call:
    shape = (*d.shape(most=2), d.one_of(500, 1000)) if d.flag() else d.shape()
    to = d.maybe(d.type("T2" if d.operator.endswith("Like") else "T"))
    code = None if to is None else dt.by_numpy(to).onnx
    if not d.operator.endswith("Like"):
        made = make(shape, np.dtype(np.float32) if to is None else to)
        return Call([], judge=_results(made), shape=list(shape), dtype=code, **attributes)
    x = d.array(shape, None if to is not None else d.type("T2"))
    return Call([x], judge=_results(make(shape, x.dtype if to is None else to)), dtype=code, **attributes)


@recipe("Bernoulli")
def bernoulli(d: Draw) -> Call:
    p = d.one_of(0.0, 0.5, 0.25, 1.0)
    to = d.maybe(d.type("T2"))
    x = np.full((*d.shape(most=2), 500), p).astype(d.element)
    expected = law(x.shape, x.dtype if to is None else to, 0, 1, p, float(np.sqrt(p * (1 - p))))
    code = None if to is None else dt.by_numpy(to).onnx
    return Call([x], judge=_results(expected), dtype=code, seed=d.maybe(1.0))


@recipe("Multinomial")
def multinomial(d: Draw) -> Call:
    classes, count = d.integer(1, 5), d.integer(1, 500)
    weights = d.random().random(classes) + 0.1
    p = weights / weights.sum()
    x = np.log(np.tile(weights, (d.integer(1, 3), 1))).astype(d.element)
    to = d.maybe(d.type("T2"))
    at = np.arange(classes)
    mean = float(p @ at)
    spread = float(np.sqrt(max(p @ at**2 - mean**2, 0))) + 0.05
    shape = (len(x), count)
    expected = law(shape, np.dtype(np.int32) if to is None else to, 0, classes - 1, mean, spread)
    code = None if to is None else dt.by_numpy(to).onnx
    return Call([x], judge=_results(expected), dtype=code, sample_size=count, seed=d.maybe(1.0))
