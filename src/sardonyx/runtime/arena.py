"""Plans one block of memory for many tensors whose lifetimes are known. Knows sizes and intervals only."""

from __future__ import annotations

from collections.abc import Sequence

_ALIGN = 64


def plan_arena(sizes: Sequence[int], lives: Sequence[tuple[int, int]]) -> tuple[list[int], int]:
    """Byte offsets for tensors of `sizes` alive in the closed intervals `lives`, and the total size.

    An interval that ends at -1 lasts to the end. Greedy by size: each tensor takes the lowest gap among those
    already placed whose lifetimes overlap its own.
    """
    offsets = [0] * len(sizes)
    placed: list[tuple[int, int, int, int]] = []
    total = 0
    for number in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        first, last = lives[number]
        last = last if last >= 0 else 1 << 60
        size = -(-sizes[number] // _ALIGN) * _ALIGN
        at = 0
        if size:
            for low, high, begin, end in placed:
                if begin <= last and first <= end and low < at + size and at < high:
                    at = high
            placed.append((at, at + size, first, last))
            placed.sort()
        offsets[number] = at
        total = max(total, at + size)
    return offsets, total
