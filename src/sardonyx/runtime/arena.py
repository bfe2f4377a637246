"""Plans one block of memory for many tensors whose lifetimes are known. Knows sizes and intervals only."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

_ALIGN = 64


def plan_arena(sizes: Sequence[int], lives: Sequence[tuple[int, int]]) -> tuple[list[int], int]:
    """Byte offsets for tensors of `sizes` alive in the closed intervals `lives`, and the total size.

    An interval that ends at -1 lasts to the end. Greedy by size: each tensor takes the lowest gap among those
    already placed whose lifetimes overlap its own.
    """
    offsets = [0] * len(sizes)
    placed = _Placed(1 + max((max(life) for life in lives), default=0))
    total = 0
    for number in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        first, last = lives[number]
        last = last if last >= 0 else placed.end
        size = -(-sizes[number] // _ALIGN) * _ALIGN
        at = 0
        if size:
            for low, high in placed.beside(first, last):
                if low >= at + size:
                    break
                at = max(at, high)
            placed.add(first, last, at, at + size)
        offsets[number] = at
        total = max(total, at + size)
    return offsets, total


class _Placed:
    """Extents in memory by when they are in use: found without a look at those of other times.

    Of a tree over all moments each node holds the extents that are in use as long as it lasts, and its
    parent does not.
    """

    def __init__(self, end: int) -> None:
        self.end = end
        self._leaves = 1 << end.bit_length()
        self._nodes: list[list[tuple[int, int]]] = [[] for _ in range(2 * self._leaves)]
        self._begun: list[tuple[int, int, int]] = []

    def add(self, first: int, last: int, low: int, high: int) -> None:
        """An extent that is in use from the first to the last moment."""
        insort(self._begun, (first, low, high))
        left, right = first + self._leaves, last + self._leaves + 1
        while left < right:
            if left & 1:
                self._nodes[left].append((low, high))
                left += 1
            if right & 1:
                right -= 1
                self._nodes[right].append((low, high))
            left, right = left >> 1, right >> 1

    def beside(self, first: int, last: int) -> list[tuple[int, int]]:
        """What is in use at any of these moments, the lowest first."""
        begun = self._begun[bisect_left(self._begun, (first + 1,)) : bisect_left(self._begun, (last + 1,))]
        found = [(low, high) for _, low, high in begun]
        node = first + self._leaves
        while node:
            found += self._nodes[node]
            node >>= 1
        found.sort()
        return found
