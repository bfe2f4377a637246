"""Tensors that live at the same time do not overlap, and those that do not share memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sardonyx.runtime.arena import plan_arena

TENSORS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 8), st.integers(-1, 8)), max_size=12)


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
