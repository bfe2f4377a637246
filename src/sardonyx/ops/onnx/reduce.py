"""Operators that combine the elements along axes: sums, norms, extrema, running totals, softmax."""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, dim_value, iota, make, map_
from sardonyx.ops.onnx.movement import squeezed
from sardonyx.ops.operands import axes as axes_of
from sardonyx.ops.operands import integer, normal_axes
from sardonyx.ops.table import op

Ints = tuple[int, ...]
Reduction = Callable[[Value, Ints], Value]


def _wide(x: Value) -> Value:
    return x.cast(dt.F64) if x.dtype.is_int else x


def _extremum(prim: str) -> Reduction:
    def build(x: Value, axes: Ints) -> Value:
        return x.cast(dt.U8).reduce(prim, axes).cast(dt.BOOL) if x.dtype is dt.BOOL else x.reduce(prim, axes)

    return build


def _log_sum_exp(x: Value, axes: Ints) -> Value:
    wide = _wide(x)
    top = wide.reduce("rmax", axes)
    shift = map_("isinf", top).where(_zero(top), top)
    return ((wide - shift).exp().reduce("sum", axes).log() + shift).cast(x.dtype)


def _zero(x: Value) -> Value:
    return dim_value(0, dt.I64).cast(x.dtype)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": lambda x, axes: x.reduce("sum", axes),
    "ReduceProd": lambda x, axes: x.reduce("prod", axes),
    "ReduceMax": _extremum("rmax"),
    "ReduceMin": _extremum("rmin"),
    "ReduceMean": lambda x, axes: x.mean(*axes) if axes else x,
    "ReduceL1": lambda x, axes: x.abs().reduce("sum", axes),
    "ReduceL2": lambda x, axes: (_wide(x) * _wide(x)).reduce("sum", axes).sqrt().cast(x.dtype),
    "ReduceSumSquare": lambda x, axes: (x * x).reduce("sum", axes),
    "ReduceLogSum": lambda x, axes: _wide(x).reduce("sum", axes).log().cast(x.dtype),
    "ReduceLogSumExp": _log_sum_exp,
}
"""The reductions by operator; reduced axes stay as 1."""


def _reduced(combine: Reduction, x: Value, axes: Ints | None, keepdims: int) -> Value:
    over = tuple(range(x.rank)) if axes is None else axes
    y = combine(x, over)
    return y if keepdims else squeezed(y, over)


def _by_attribute(combine: Reduction) -> Callable[..., Value]:
    def build(x: Value, *, axes: Ints | None = None, keepdims: int = 1) -> Value:
        return _reduced(combine, x, normal_axes(axes, x.rank) if axes else None, keepdims)

    return build


def _by_input(combine: Reduction) -> Callable[..., Value]:
    def build(
        x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Value:
        over = axes_of(axes, x)
        if not over:
            over = () if noop_with_empty_axes else None
        return _reduced(combine, x, over, keepdims)

    return build


for _name, _combine in REDUCTIONS.items():
    op(_name, since=1)(_by_attribute(_combine))
    op(_name, since=13 if _name == "ReduceSum" else 18)(_by_input(_combine))


def _arg(prim: str) -> Callable[..., Value]:
    def build(x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
        at = x.axis(axis)
        shape = tuple(1 if a == at else n for a, n in enumerate(x.shape))
        y = make(prim, (x,), {"axis": at, "last": bool(select_last_index)}, dt.I64, shape)
        return y if keepdims else squeezed(y, (at,))

    return build


op("ArgMax", since=1)(_arg("argmax"))
op("ArgMin", since=1)(_arg("argmin"))


def _running(prim: str) -> Callable[..., Value]:
    def build(x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
        at = x.axis(integer(axis, "the axis"))
        attrs = {"axis": at, "exclusive": bool(exclusive), "reverse": bool(reverse)}
        return make(prim, (x,), attrs, x.dtype, x.shape)

    return build


op("CumSum", since=11)(_running("cumsum"))
op("CumProd", since=26)(_running("cumprod"))


def softmax_over(x: Value, axis: int) -> Value:
    """exp(x - m) / sum(exp(x - m)) along an axis; m = max(x), so that exp cannot overflow."""
    e = (x - x.reduce_max(axis)).exp()
    return e / e.sum(axis)


def log_softmax_over(x: Value, axis: int) -> Value:
    """(x - m) - log(sum(exp(x - m))) along an axis; m = max(x)."""
    shifted = x - x.reduce_max(axis)
    return shifted - shifted.exp().sum(axis).log()


def hardmax_over(x: Value, axis: int) -> Value:
    """1 at the first maximum along an axis, else 0."""
    at = x.axis(axis)
    shape = tuple(1 if a == at else n for a, n in enumerate(x.shape))
    first = make("argmax", (x,), {"axis": at, "last": False}, dt.I64, shape)
    ruler = iota(tuple(n if a == at else 1 for a, n in enumerate(x.shape)), at, dt.I64)
    return first.eq(ruler).cast(x.dtype)


def _over_axis(compute: Callable[[Value, int], Value]) -> Callable[..., Value]:
    def build(x: Value, *, axis: int = -1) -> Value:
        return compute(x, axis)

    return build


def _over_rows(compute: Callable[[Value, int], Value]) -> Callable[..., Value]:
    def build(x: Value, *, axis: int = 1) -> Value:
        """Opsets before 13: all axes from `axis` on are one."""
        at = x.rank if axis == x.rank else x.axis(axis)
        if at == x.rank - 1:
            return compute(x, at)
        rows = x.reshape((dims.product(x.shape[:at]), dims.product(x.shape[at:])))
        return compute(rows, 1).reshape(x.shape)

    return build


for _name, _compute in (
    ("Softmax", softmax_over),
    ("LogSoftmax", log_softmax_over),
    ("Hardmax", hardmax_over),
):
    op(_name, since=1)(_over_rows(_compute))
    op(_name, since=13)(_over_axis(_compute))


@op("LpNormalization", since=1)
def lp_normalization(x: Value, *, axis: int = -1, p: int = 2) -> Value:
    """x divided by its 1- or 2-norm along an axis; 0 where the norm is 0."""
    if p not in (1, 2):
        raise UnsupportedOp(f"p={p}")
    norm = x.abs().sum(axis) if p == 1 else (x * x).sum(axis).sqrt()
    return norm.eq(0).where(_zero(x), x / norm)
