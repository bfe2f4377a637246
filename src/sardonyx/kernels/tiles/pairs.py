"""Floats as numbers of matrix registers, without shuffles: a step has the k of its two halves in turn.

A float is cut into the sum of three numbers of 8 bits, each what of the rest fits, so that none becomes
infinite. What is kept of one vector is the upper half of what is stored, that of the other moves to the lower
half. Must not know what the matrices are used for.
"""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_

LANES = 16
FLOATS = vector_of("float", LANES)
_INTS = vector_of("i32", LANES)
_UPPER, _HALF_BITS, _QUIET = -0x10000, 16, 0x400000


def in_pairs(steps: np.ndarray, k_step: int) -> np.ndarray:
    """steps[..., K, N], K a multiple of a step, with the k of the two halves of each step in turn."""
    *batch, count, n = steps.shape
    halves = steps.reshape(*batch, -1, 2, k_step // 2, n)
    return halves.swapaxes(-2, -3).reshape(*batch, count, n)


def joined(f: Function, low: V, high: V) -> V:
    """The upper halves of two vectors of floats side by side."""
    moved = f.binary("lshr", f.bitcast(low, _INTS), int_(_HALF_BITS, _INTS))
    return f.binary("or", moved, _upper(f, high))


def remainder(f: Function, x: V) -> V:
    """What is left of floats without their upper halves."""
    return f.binary("fsub", x, f.bitcast(_upper(f, x), FLOATS))


def _upper(f: Function, x: V) -> V:
    return f.binary("and", f.bitcast(x, _INTS), int_(_UPPER, _INTS))


class Pairs:
    """Writes the split of two vectors, which tells what was met that only a `careful` one splits."""

    def __init__(self, f: Function, shape: MatrixShape, *, careful: bool) -> None:
        self.f, self.shape, self.careful = f, shape, careful

    def nothing(self) -> V:
        """What is told before anything is met."""
        return int_(0, FLOATS)

    def store(self, x: tuple[V, V], to: V, plane: V, met: V) -> V:
        """Write each plane of both vectors, `plane` bytes apart, in pairs; returns what is met."""
        f, none = self.f, int_(0, FLOATS)
        for vector in x:
            met = f.fma(vector, none, met)
        special = [f.fcmp("uno", f.fma(v, none, none), none) for v in x] if self.careful else []
        if special:
            x = self._quiet(x[0]), self._quiet(x[1])
        low, high = x
        for number in range(self.shape.planes):
            f.store(joined(f, low, high), f.gep(to, f.mul(plane, int_(number)), "i8"))
            low, high = remainder(f, low), remainder(f, high)
            if special and number == 0:
                low, high = (f.select(s, none, v) for s, v in zip(special, (low, high), strict=True))
        if special:
            low, high = (f.select(s, none, v) for s, v in zip(special, x, strict=True))
            f.store(joined(f, low, high), f.gep(to, f.mul(plane, int_(self.shape.planes)), "i8"))
        return met

    def is_special(self, met: V) -> V:
        """Whether anything met was infinite or NaN: 1 or 0, as i64."""
        f = self.f
        found = f.convert("zext", f.fcmp("uno", met, met), "i32")
        return f.convert("zext", f.call(f"llvm.vector.reduce.umax.v{LANES}i32", "i32", found), "i64")

    def _quiet(self, x: V) -> V:
        """x, whose NaN have a bit set that the upper half keeps."""
        f = self.f
        quiet = f.binary("or", f.bitcast(x, _INTS), int_(_QUIET, _INTS))
        return f.select(f.fcmp("uno", x, x), f.bitcast(quiet, FLOATS), x)
