"""Numbers that break things."""

from __future__ import annotations

from random import Random

LITTLE = (0, 1, -1, 2, 3, 4, 5, 7, 8, 16, 17, -2, -3)
HUGE = (
    *(100, 1000, 65_536, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 32) + 1, 1 << 40, 1 << 46),
    *((1 << 62) + 1, 1 << 62, (1 << 63) - 1, -(1 << 63), -(1 << 63) + 1),
)
REAL = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-38, 1e30, -1e30, 3.4e38, 1e300, -1e300),
    *(float("inf"), float("-inf"), float("nan"), 1e-8, 255.5, 2147483648.0, 9.3e18),
)


def integer(chance: Random, old: int = 0) -> int:
    """One of 64 bits: near the old one, small or extreme."""
    kind = chance.random()
    if kind < 0.35:
        return max(-(1 << 63), min(old + chance.choice((-2, -1, 1, 2)), (1 << 63) - 1))
    return chance.choice(LITTLE if kind < 0.8 else HUGE)


def real(chance: Random, old: float = 0.0) -> float:
    """A float: near the old one or special."""
    return old * chance.choice((-1, 0.5, 2)) if chance.random() < 0.3 else chance.choice(REAL)
