"""Functions by segments: each lane takes the coefficients of its segment from registers, and few are enough.

Must not know which functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.target import Target
from sardonyx.llvm import coefficients
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import scalar_of
from sardonyx.llvm.vec import V, float_

_REGISTER = "<16 x float>"
_SEGMENTS = 16


def has_segments(x: Lanes, target: Target) -> bool:
    """Whether one instruction takes a coefficient of each lane's segment."""
    whole = x.v.scalar == scalar_of(_REGISTER) and x.v.lanes % _SEGMENTS == 0
    return whole and target.instruction("permute", _REGISTER) is not None


def in_segments(
    x: Lanes, powers: Sequence[Sequence[float]], width: float, target: Target
) -> tuple[Lanes, Lanes]:
    """x, at most the middle of the last segment, and the polynomial of its segment there; NaN stays NaN.

    x >= 0 is i * width + r with |r| <= width / 2, a power of two; the value is the sum of powers[k][i] * r^k.
    """
    near = x.at_most((_SEGMENTS - 1) * width)
    magic = coefficients.FLOAT.magic * width
    whole = near + magic
    rest = near - (whole - magic)
    segment = whole.bits()
    *lower, total = (_taken(segment, row, target) for row in powers)
    for coefficient in reversed(lower):
        total = total.fma(rest, coefficient)
    return near, total


def _taken(segment: Lanes, row: Sequence[float], target: Target) -> Lanes:
    """The number of a row that the lowest bits of each lane tell."""
    f, lanes = segment.f, segment.v.lanes
    permute = target.instruction("permute", _REGISTER)
    assert permute is not None
    numbers = V(f"<{', '.join(str(float_(number)) for number in row)}>", _REGISTER)
    parts = [range(low, low + _SEGMENTS) for low in range(0, lanes, _SEGMENTS)]
    places = [f.shuffle(segment.v, segment.v, part) for part in parts] if len(parts) > 1 else [segment.v]
    taken = [f.call(permute.name, _REGISTER, numbers, place) for place in places]
    while len(taken) > 1:
        taken = [
            f.shuffle(a, b, range(a.lanes + b.lanes)) for a, b in zip(taken[::2], taken[1::2], strict=True)
        ]
    return Lanes(f, taken[0])
