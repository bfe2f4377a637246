"""The type in which an operator computes when its own is too narrow to hold sums."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value


def widened(x: Value) -> Value:
    """Half-width floats as f32; everything else as it is. Cast the result back to the type of x."""
    return x.cast(dt.F32) if x.dtype.is_float and x.dtype.bits <= 16 else x
