"""Which set of places numbers choose."""

from __future__ import annotations

from collections import Counter

from sardonyx.base.shortcut import HASH_SHIFT, ROW_SETS, ROW_WAYS, set_of


def test_sets_are_as_many_as_the_hash_can_choose() -> None:
    assert ROW_SETS == 1 << (64 - HASH_SHIFT)
    for numbers in ((), (-1,), (-(1 << 63), (1 << 63) - 1), (1, 2, 3)):
        assert 0 <= set_of(numbers) < ROW_SETS


def test_neighbouring_numbers_are_spread() -> None:
    for numbers in ([(n,) for n in range(400)], [(0, n, n + 3) for n in range(400)]):
        most = max(Counter(map(set_of, numbers)).values())
        assert most <= 2 * ROW_WAYS
