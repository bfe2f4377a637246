"""The types in which operators compute: wide floats for sums, centred integers for quantised numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, make

Formula = TypeVar("Formula", bound=Callable[..., Value])


def widened(x: Value) -> Value:
    """Half-width floats as f32; everything else as it is. Cast the result back to the type of x."""
    return x.cast(dt.F32) if x.dtype.is_float and x.dtype.bits <= 16 else x


def in_single(formula: Formula) -> Formula:
    """A formula that half-width floats compute in f32, its constants too."""

    @wraps(formula)
    def build(x: Value, *others: Value, **attributes: Any) -> Value:
        wide = formula(widened(x), *map(widened, others), **attributes)
        result: Value = wide.cast(x.dtype)
        return result

    return cast(Formula, build)


def centred(x: Value, zero: Value | None) -> Value:
    """x - zero, exact in int32; `zero` broadcasts with x and may be missing."""
    if zero is None or (zero.is_numeric_const and zero.data is not None and not np.any(zero.data)):
        return x.cast(dt.I32)
    if (numbers := _bytes(x)) is not None and (zeros := _bytes(zero)) is not None:
        return const(np.subtract(numbers, zeros, dtype=np.int32))
    return x.cast(dt.I32) - zero.cast(dt.I32)


def kept(x: Value) -> Value:
    """A constant of 8 bits an element that is not folded until passes have seen it; another value itself."""
    return x if _bytes(x) is None else make("kept", (x,), {}, x.dtype, x.shape)


def _bytes(x: Value) -> np.ndarray[Any, Any] | None:
    """The content of a constant of 8 bits an element; None of another value."""
    return x.data if x.is_numeric_const and x.dtype in (dt.I8, dt.U8) else None
