"""Floats of 24 bits, the upper three bytes of what they stand for: how a vector of them is read.

Must not know what they are used for, nor who rounded them.
"""

from __future__ import annotations

from sardonyx.kernels.tiles.shape import SHORT_BYTES
from sardonyx.llvm.vec import Function, V, int_

_QUAD = 4
"""Numbers of 128 bits, which hold three dwords while they are short."""

SPARE_BYTES = 16
"""What is read behind the last number at most."""


def widened(f: Function, at: V, lanes: int) -> V:
    """The floats that so many short numbers from an address on stand for; up to SPARE_BYTES more are read.

    Dwords go to the 128 bits that need them first: bytes are moved inside of these alone.
    """
    dwords = SHORT_BYTES * _QUAD // 4
    if lanes > 2 * _QUAD:
        loaded = f.load(at, f"<{lanes} x i32>", 4)
        apart = f.shuffle(loaded, loaded, [n // _QUAD * dwords + n % _QUAD for n in range(lanes)])
    else:
        first, second = (f.load(f.gep(at, int_(n * dwords * 4), "i8"), f"<{_QUAD} x i32>", 4) for n in (0, 1))
        apart = f.shuffle(first, second, range(lanes))
    bytes_ = f.bitcast(apart, f"<{4 * lanes} x i8>")
    zero = 4 * lanes
    mask = [
        zero if byte == 0 else n // _QUAD * 4 * _QUAD + n % _QUAD * SHORT_BYTES + byte - 1
        for n in range(lanes)
        for byte in range(4)
    ]
    return f.bitcast(f.shuffle(bytes_, int_(0, bytes_.type), mask), f"<{lanes} x float>")
