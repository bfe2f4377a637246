"""What an operation over constants gives, at build time; symbolic sizes included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.meaning import NotFoldable
from sardonyx.ir.prims import PRIMS, Prim

Array = np.ndarray[Any, Any]
Constant = tuple[Array, DType]
SYMBOLIC_LIMIT = 4096
"""The most elements of a tensor of symbolic sizes."""
_FOLD_LIMIT = 1 << 27
_MOVED = nullcontext()


def known(shape: Sequence[Dim]) -> bool:
    """Whether every size is a number."""
    return all(isinstance(n, int) for n in shape)


def fold(
    prim: str, args: Sequence[Constant], attrs: dict[str, Any], dtype: DType, shape: Sequence[Dim]
) -> Array | None:
    """The content of the result, in f32 if it is a half that is computed; None if it is left to run time."""
    row = PRIMS[prim]
    if row.kind in ("opaque", "control") or not row.folds or not known(shape):
        return None
    size = dims.product(shape)
    assert isinstance(size, int)
    symbolic = any(is_symbolic(a) for a in args)
    if symbolic and (not row.symbolic or size > SYMBOLIC_LIMIT or not _integral(prim, args)):
        return None
    if size > _FOLD_LIMIT and (row.kind != "view" or size > _distinct(args)):
        return None
    if has_unknown_sizes(attrs):
        return None
    try:
        with _MOVED if row.kind == "view" else np.errstate(all="ignore"):
            arrays = [data for data, _ in args]
            if dtype.is_half and not symbolic:
                return _half(row, arrays, attrs, dtype)
            return _run(row.run, arrays, attrs, dtype, symbolic)
    except (NotFoldable, ZeroDivisionError, IndexError, TypeError, ValueError):
        return None


def _distinct(args: Sequence[Constant]) -> int:
    """Elements of all operands; of those that begin at one place in memory once."""
    return sum({data.__array_interface__["data"][0]: data.size for data, _ in args}.values())


def empty(dtype: DType, shape: Sequence[Dim]) -> Array:
    """A tensor without elements, its unknown sizes 1.

    Raises ShapeError if a size is negative, or if it is too large all the same.
    """
    if any(isinstance(n, int) and n < 0 for n in shape):
        raise ShapeError(f"a tensor of sizes {list(shape)} cannot be: a size is negative")
    try:
        return np.empty([n if isinstance(n, int) else 1 for n in shape], dtype.numpy)
    except ValueError:
        raise ShapeError(f"a tensor of sizes {list(shape)} is too large") from None


def is_symbolic(constant: Constant) -> bool:
    """Whether a constant holds sizes rather than numbers."""
    return constant[0].dtype == object and constant[1] is not dt.STRING


def _integral(prim: str, args: Sequence[Constant]) -> bool:
    """Whether an operation on sizes surely gives integers: no float quotient, no fractional operand."""
    floats = [a for a in args if a[1].is_float]
    numbers = [a[0] for a in floats if not is_symbolic(a)]
    return not (floats and prim == "div") and all(np.all(np.isfinite(d) & (d == np.rint(d))) for d in numbers)


def _run(
    run: Callable[..., Any], arrays: list[Array], attrs: dict[str, Any], dtype: DType, symbolic: bool
) -> Array:
    if symbolic:
        data = np.asarray(run([_sizes(a) for a in arrays], attrs))
        if dtype is dt.BOOL or all(isinstance(v, int | float) for v in data.flat):
            return data.astype(dtype.numpy)
        if any(isinstance(v, float) and not v.is_integer() for v in data.flat):
            raise NotFoldable
        return np.frompyfunc(lambda v: int(v) if isinstance(v, float) else v, 1, 1)(data)  # type: ignore[no-any-return]
    data = np.asarray(run([_wide(a) for a in arrays] if dtype.compute != dtype.name else arrays, attrs))
    return data if data.dtype == dtype.numpy else data.astype(dtype.numpy)


def _half(row: Prim, arrays: list[Array], attrs: dict[str, Any], dtype: DType) -> Array:
    """What is computed as f32; what is only moved, or cast to be rounded, as it is."""
    added = attrs.get("reduction", "none") != "none"
    moved = row.kind in ("view", "index") and not added and not any(a.dtype == np.float32 for a in arrays)
    if moved or row.name == "bitcast" or attrs.get("rounds"):
        return np.asarray(row.run(arrays, attrs))
    if row.name == "cast":
        return np.asarray(row.run(arrays, {"to": dt.F32}))
    result = np.asarray(row.run([_wide(a) for a in arrays], attrs))
    return result.astype(np.float32)


def _sizes(a: Array) -> Array:
    """Numbers as Python integers; `_integral` has seen to it that they are whole."""
    return (a.astype(np.int64) if a.dtype.kind in "fV" else a).astype(object)


def _wide(a: Array) -> Array:
    return a.astype(np.float32) if dt.by_numpy(a.dtype).compute == "f32" else a


_NESTED = (dict, list, tuple)


def has_unknown_sizes(attrs: dict[str, Any] | Sequence[Any]) -> bool:
    """Whether any of nested attributes is an unknown size."""
    for item in attrs.values() if isinstance(attrs, dict) else attrs:
        if isinstance(item, dims.Expr) or (isinstance(item, _NESTED) and has_unknown_sizes(item)):
            return True
    return False


def flat_dims(data: Any) -> Iterator[Any]:
    """The leaves of nested attributes."""
    if isinstance(data, dict):
        for v in data.values():
            yield from flat_dims(v)
    elif isinstance(data, list | tuple):
        for v in data:
            yield from flat_dims(v)
    else:
        yield data
