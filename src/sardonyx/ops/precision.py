"""The types in which operators compute: wide floats for sums, centred integers for quantised numbers."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value


def widened(x: Value) -> Value:
    """Half-width floats as f32; everything else as it is. Cast the result back to the type of x."""
    return x.cast(dt.F32) if x.dtype.is_float and x.dtype.bits <= 16 else x


def centred(x: Value, zero: Value | None) -> Value:
    """X - zero, exact in int32; `zero` broadcasts with x and may be missing."""
    wide = x.cast(dt.I32)
    if zero is None or (zero.is_numeric_const and zero.data is not None and not np.any(zero.data)):
        return wide
    return wide - zero.cast(dt.I32)


def along(v: Value, axis: int, rank: int) -> Value:
    """A vector (or a single number) shaped to run along one axis of a tensor of that rank."""
    return v.reshape((*(1,) * axis, v.size, *(1,) * (rank - axis - 1)))
