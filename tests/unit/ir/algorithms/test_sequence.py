"""Sequences are Python's lists with positions that are checked; an optional holds a value or says so."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.algorithms import sequence

ITEMS = ["a", "b", "c"]


@pytest.mark.parametrize("place", [-3, -1, 0, 2])
def test_positions_count_from_both_ends(place: int) -> None:
    assert sequence.at(ITEMS, np.int64(place)) == (ITEMS[place],)
    without = list(ITEMS)
    del without[place]
    assert sequence.erase(ITEMS, np.array([place])) == without
    more = list(ITEMS)
    more.insert(place, "x")
    assert sequence.insert(ITEMS, "x", np.int64(place)) == more
    assert ITEMS == ["a", "b", "c"], "the list itself stays"


def test_ends_are_the_default() -> None:
    assert sequence.insert(ITEMS, "x") == [*ITEMS, "x"]
    assert sequence.insert(ITEMS, "x", np.int64(3)) == [*ITEMS, "x"]
    assert sequence.erase(ITEMS) == ["a", "b"]
    assert sequence.construct(1, 2) == [1, 2]
    assert sequence.length(ITEMS) == 3


@pytest.mark.parametrize("place", [-4, 3])
def test_positions_outside_are_refused(place: int) -> None:
    for use in (sequence.at, sequence.erase):
        with pytest.raises(IndexError, match="sequence of 3"):
            use(ITEMS, np.int64(place))
    with pytest.raises(IndexError):
        sequence.insert(ITEMS, "x", np.int64(place + (place > 0)))


def test_nothing_can_be_taken_from_an_empty_sequence() -> None:
    with pytest.raises(IndexError, match="sequence of 0"):
        sequence.erase([])
    with pytest.raises(IndexError, match="sequence of 0"):
        sequence.at([], np.int64(0))


def test_tensors_are_joined_and_split() -> None:
    x = np.arange(10).reshape(2, 5)
    for sizes in ((np.array([2, 3]),), (np.int64(2),), ()):
        parts = sequence.split(x, *map(np.asarray, sizes), axis=1, keep=True)
        assert np.array_equal(sequence.join(parts, axis=1, new_axis=False)[0], x)
    assert [p.shape[1] for p in sequence.split(x, np.asarray(2), axis=1, keep=True)] == [2, 2, 1]
    rows = sequence.split(x, axis=0, keep=False)
    assert [r.tolist() for r in rows] == x.tolist()
    assert np.array_equal(sequence.join(rows, axis=0, new_axis=True)[0], x)
    assert sequence.split(x[:0], axis=0, keep=True) == []


def test_optionals() -> None:
    assert sequence.wrap(type="tensor") is None
    assert sequence.get(sequence.wrap(5, type="tensor")) == (5,)
    assert [bool(sequence.has(o)) for o in (None, 5)] == [False, True]
    with pytest.raises(ValueError, match="empty"):
        sequence.get(None)
