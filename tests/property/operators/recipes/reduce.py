"""Calls of operators that combine the elements along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

REDUCTIONS = {
    "ReduceSum": np.sum,
    "ReduceProd": np.prod,
    "ReduceMax": lambda x, **k: np.max(x, initial=_least(x.dtype), **k),
    "ReduceMin": lambda x, **k: np.min(x, initial=_greatest(x.dtype), **k),
    "ReduceMean": lambda x, **k: _truncated(_mean(x, **k), x.dtype),
    "ReduceL1": lambda x, **k: np.sum(np.abs(x), **k),
    "ReduceL2": lambda x, **k: _truncated(np.sqrt(np.sum(x.astype(np.float64) ** 2, **k)), x.dtype),
    "ReduceSumSquare": lambda x, **k: np.sum(x * x, **k),
    "ReduceLogSum": lambda x, **k: _truncated(np.log(np.sum(x.astype(np.float64), **k)), x.dtype),
    "ReduceLogSumExp": lambda x, **k: _truncated(np.log(np.sum(np.exp(x.astype(np.float64)), **k)), x.dtype),
}


def _mean(x: Array, axis: tuple[int, ...], **k: Any) -> Array:
    """Of nothing it is undefined: here 0 of integers, as in onnxruntime, and NaN of floats."""
    count = np.float64(np.prod([x.shape[a] for a in axis]))
    total = np.sum(x.astype(np.float64), axis=axis, **k)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / (count if kind_of(x.dtype) == "f" else max(count, 1)))


def _least(dtype: np.dtype[Any]) -> Any:
    kind = kind_of(dtype)
    return -np.inf if kind == "f" else False if kind == "b" else np.iinfo(dtype).min


def _greatest(dtype: np.dtype[Any]) -> Any:
    kind = kind_of(dtype)
    return np.inf if kind == "f" else True if kind == "b" else np.iinfo(dtype).max


def _truncated(x: Array, dtype: np.dtype[Any]) -> Array:
    return np.asarray(x if kind_of(dtype) == "f" else np.trunc(x)).astype(dtype)


@recipe(*REDUCTIONS)
def reduction(d: Draw) -> Call:
    x = d.array(d.shape(low=0 if d.flag() else 1), specials="nonfinite")
    floating = kind_of(x.dtype) == "f"
    if d.operator == "ReduceLogSum" or (d.operator.startswith("ReduceLog") and not floating):
        x = d.within(x.shape, 0 if floating else 1, 5)
    if d.operator == "ReduceProd" and floating:
        x = d.within(x.shape, 0.7, 1.4)
    axes, keep = d.maybe(d.axes(x.ndim)), d.maybe(int(d.flag()))
    by_input = d.opset >= (13 if d.operator == "ReduceSum" else 18)
    if not by_input and d.opset < 11 and axes:
        axes = [a % x.ndim for a in axes]
    noop = d.maybe(int(d.flag())) if by_input else None
    over = tuple(axes) if axes else () if noop else tuple(range(x.ndim))
    empty = 0 in [x.shape[a] for a in over]
    if empty and d.operator.startswith("ReduceLog") and not floating:
        x = np.ones([max(n, 1) for n in x.shape], x.dtype)
    compute = REDUCTIONS[d.operator]

    def run(x: Array, *_: Any) -> Array:
        kind = {"dtype": x.dtype} if d.operator in ("ReduceSum", "ReduceProd") else {}
        return np.asarray(compute(x, axis=over, keepdims=keep != 0, **kind)).astype(x.dtype)

    terms = int(np.prod([x.shape[a] for a in over]))
    square = d.operator in ("ReduceSumSquare", "ReduceProd")
    finite = np.abs(x[np.isfinite(x)].astype(float)) if floating else np.zeros(1)
    largest = terms * float((finite**2 if square else finite).max(initial=0))
    inputs = [x] + ([None if axes is None else np.array(axes, np.int64)] if by_input else [])
    attributes: dict[str, Any] = {} if by_input else {"axes": axes or None}
    if noop is not None:
        attributes["noop_with_empty_axes"] = noop
    exact = d.operator in ("ReduceMax", "ReduceMin")
    length = 0 if exact else max(terms, 1)
    return Call(
        *(inputs, 1, formula(run), length), magnitude=largest, zeros=False, keepdims=keep, **attributes
    )


@recipe("ArgMax", "ArgMin")
def arg(d: Draw) -> Call:
    x = d.array(d.shape(least=1, low=1))
    if kind_of(x.dtype) == "f":
        x = np.where(np.isnan(x), np.zeros_like(x), x)
    axis = d.axis(x.ndim) if d.opset >= 11 else d.integer(0, x.ndim - 1)
    last = d.maybe(int(d.flag())) if d.opset >= 12 else None
    pick = np.argmax if d.operator == "ArgMax" else np.argmin
    keep = d.maybe(int(d.flag()))

    def run(x: Array) -> Array:
        at = pick(np.flip(x, axis) if last else x, axis=axis, keepdims=keep != 0)
        return np.asarray(x.shape[axis] - 1 - at if last else at).astype(np.int64)

    given = None if axis == 0 and d.flag() else axis
    return Call([x], judge=formula(run), axis=given, keepdims=keep, select_last_index=last)


@recipe("CumSum", "CumProd")
def running(d: Draw) -> Call:
    x = d.array(d.shape(least=1), specials="nonfinite")
    if d.operator == "CumProd":
        x = d.within(x.shape, -2 if kind_of(x.dtype) != "u" else 0, 2)
    axis = d.axis(x.ndim)
    exclusive, reverse = (d.maybe(int(d.flag())) for _ in range(2))
    given = np.array(axis, d.type("T2"))
    judge = formula(lambda x, _: _running(d.operator, x, axis, exclusive, reverse))
    return Call([x, given], judge=judge, length=x.size + 1, exclusive=exclusive, reverse=reverse)


def _running(operator: str, x: Array, axis: int, exclusive: int | None, reverse: int | None) -> Array:
    y = np.flip(x, axis) if reverse else x
    scan, neutral = (np.cumsum, 0) if operator == "CumSum" else (np.cumprod, 1)
    y = scan(y, axis, dtype=x.dtype)
    if exclusive and x.shape[axis]:
        y = np.moveaxis(np.roll(y, 1, axis), axis, 0)
        y[0] = neutral
        y = np.moveaxis(y, 0, axis)
    return np.flip(y, axis) if reverse else y
