"""What operators demand of the shapes of operands: refused where sizes are known, else checked by each run.

An operator states it in one line, and goes on with the value it gets back, whose sizes are the ones demanded.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.premise import must_be_one_or, must_equal
from sardonyx.ir.value import Shape, Value, make

ANY = 64
"""The greatest number of axes."""


def element_type(code: int, attribute: str) -> DType:
    """The element type of a TensorProto.DataType code. Raises ShapeError if there is none."""
    try:
        return dt.by_onnx(code)
    except KeyError:
        raise ShapeError(f"{attribute}={code} names no element type that is known here") from None


def shaped(value: Value, what: str, *sizes: Dim) -> Value:
    """The value, which has these sizes. Raises ShapeError; `what` names it in messages."""
    told = f"{what} has the shape {{}}, it must have {{}}"
    if value.rank != len(sizes) or any(
        dims.equal(n, m) is False for n, m in zip(value.shape, sizes, strict=True)
    ):
        raise ShapeError(told.format(list(value.shape), list(sizes)))
    for n, m in zip(value.shape, sizes, strict=True):
        must_equal(n, m, told, value.shape, sizes)
    return value.reshape([n if isinstance(n, int) else m for n, m in zip(value.shape, sizes, strict=True)])


def spread_over(value: Value, what: str, shape: Sequence[Dim]) -> Value:
    """The value, which broadcasts to a shape and does not widen it. Raises ShapeError."""
    told = f"{what} has the shape {{}}, which does not broadcast to {{}}"
    lacking = len(shape) - value.rank
    pairs = list(zip(value.shape, shape[max(lacking, 0) :], strict=False))
    if lacking < 0 or any(
        n != 1 and dims.equal(n, m) is False and dims.equal(n, 1) is not None for n, m in pairs
    ):
        raise ShapeError(told.format(list(value.shape), list(shape)))
    for n, m in pairs:
        must_be_one_or(n, m, told, value.shape, shape)
    return _repeated(value, tuple(n if isinstance(n, int) else m for n, m in pairs))


def _repeated(value: Value, shape: Shape) -> Value:
    """The value under a shape that it is taken to broadcast to; `Value.broadcast` might widen it."""
    if shape == value.shape:
        return value
    return make("broadcast", (value,), {"shape": shape}, value.dtype, shape)


def single(value: Value, what: str) -> Value:
    """The one element of a value, of rank 0. Raises ShapeError if it has more, or none."""
    told = f"{what} has the shape {{}}, it must have one element"
    if dims.equal(value.size, 1) is False:
        raise ShapeError(told.format(list(value.shape)))
    must_equal(value.size, 1, told, value.shape)
    return value.reshape(())


def along(value: Value, what: str, x: Value, axis: int) -> Value:
    """A number for each position of an axis of x, shaped to broadcast with x. Raises ShapeError."""
    value = shaped(value, what, x.shape[axis])
    return value.reshape((*(1,) * axis, *value.shape, *(1,) * (x.rank - axis - 1)))


def one_or_along(value: Value, what: str, x: Value, axis: int) -> Value:
    """One number, of rank 0, or one for each position of an axis of x; see `along`."""
    if value.rank == 0 or value.size == 1:
        return single(value, what)
    ranked(value, what, 0, 1)
    value = spread_over(value, what, (x.shape[axis],))
    return value.reshape((*(1,) * axis, *value.shape, *(1,) * (x.rank - axis - 1)))


def ranked(value: Value, what: str, low: int, high: int | None = None) -> None:
    """Raises ShapeError if the value has fewer than `low` axes or more than `high`, by default `low`."""
    high = low if high is None else high
    if not low <= value.rank <= high:
        wanted = f"{low}" if high == low else f"at least {low}" if high == ANY else f"{low} to {high}"
        raise ShapeError(f"{what} has the shape {list(value.shape)}, its rank must be {wanted}")


def equal(a: Dim, b: Dim, what: str) -> None:
    """Two sizes are one. Raises ShapeError; `what` says in words what is wrong if they are not."""
    told = f"{what}: {{}} and {{}}"
    if dims.equal(a, b) is False:
        raise ShapeError(told.format(a, b))
    must_equal(a, b, told, a, b)


def at_least(size: Dim, low: Dim, what: str) -> None:
    """A size is not below another. Raises ShapeError; `what` says in words what is wrong if it is."""
    told = f"{what}: {{}} and {{}}"
    if dims.at_least(size, low) is False:
        raise ShapeError(told.format(size, low))
    must_equal(dims.maximum(low - size, 0), 0, told, size, low)
