"""Tensors that live at the same time do not overlap, and those that do not share memory."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from sardonyx.runtime.arena import plan_arena

TENSORS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 8), st.integers(-1, 8)), max_size=12)


def greedy(sizes: list[int], lives: list[tuple[int, int]]) -> list[int]:
    """The lowest gap for each tensor, the largest first, beside all that lie already."""
    offsets = [0] * len(sizes)
    placed: list[tuple[int, int, int, int]] = []
    for number in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        first, last = lives[number]
        last = last if last >= 0 else 99
        size = -(-sizes[number] // 64) * 64
        for low, high, begin, end in sorted(placed):
            if begin <= last and first <= end and low < offsets[number] + size:
                offsets[number] = max(offsets[number], high) if size else 0
        if size:
            placed.append((offsets[number], offsets[number] + size, first, last))
    return offsets


@given(TENSORS)
def test_each_takes_the_lowest_gap(tensors: list[tuple[int, int, int]]) -> None:
    sizes = [size for size, _, _ in tensors]
    lives = [(first, last if last < 0 else max(first, last)) for _, first, last in tensors]
    assert plan_arena(sizes, lives)[0] == greedy(sizes, lives)


def test_many_tensors_are_not_all_compared() -> None:
    """Each of 30,000 lives beside a hundred others: some seconds, or two minutes if it looks at all."""
    count, beside = 30_000, 100
    began = time.process_time()
    offsets, total = plan_arena([64] * count, [(n, n + beside) for n in range(count)])
    assert time.process_time() - began < 30
    assert total == 64 * (beside + 1) and offsets[beside + 1] == 0


@given(TENSORS)
def test_no_two_live_tensors_overlap(tensors: list[tuple[int, int, int]]) -> None:
    sizes = [size for size, _, _ in tensors]
    lives = [(first, last if last < 0 else max(first, last)) for _, first, last in tensors]
    offsets, total = plan_arena(sizes, lives)
    assert all(
        offset % 64 == 0 and offset + size <= total for offset, size in zip(offsets, sizes, strict=True)
    )
    for a in range(len(sizes)):
        for b in range(a):
            ends = [last if last >= 0 else 99 for _, last in (lives[a], lives[b])]
            together = lives[a][0] <= ends[1] and lives[b][0] <= ends[0]
            apart = offsets[a] + sizes[a] <= offsets[b] or offsets[b] + sizes[b] <= offsets[a]
            assert apart or not together or not sizes[a] or not sizes[b]


def test_what_is_over_makes_room() -> None:
    assert plan_arena([64, 64, 64], [(0, 1), (1, 2), (2, 3)]) == ([0, 64, 0], 128)
    assert plan_arena([64, 64], [(0, -1), (5, 6)])[1] == 128, "-1 lasts to the end"
    assert plan_arena([], []) == ([], 0)
