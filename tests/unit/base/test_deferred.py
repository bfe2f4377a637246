"""Deferred constants are made in order, a few at a time, and their errors reach who reads them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from sardonyx.base.deferred import Constant, Deferred, arrays_of, in_order

Array = np.ndarray[Any, Any]


def doubled(number: int) -> Deferred:
    return Deferred(np.full(3, number), "doubled", (3,), lambda source: source * 2)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_arrays_come_in_their_order(threads: int) -> None:
    constants: list[Constant] = [doubled(1), np.arange(2), doubled(2), doubled(3), np.arange(4), doubled(4)]
    found = [array.tolist() for array in arrays_of(constants, threads)]
    assert found == [[2] * 3, [0, 1], [4] * 3, [6] * 3, [0, 1, 2, 3], [8] * 3]
    assert doubled(1).nbytes == 24


def test_no_more_are_made_than_are_asked_for() -> None:
    made: list[int] = []
    lock = threading.Lock()

    def note(number: int) -> Deferred:
        def make(source: Array) -> Array:
            with lock:
                made.append(number)
            return source

        return Deferred(np.zeros(1), "noted", (1,), make)

    reading = arrays_of([note(n) for n in range(9)], 2)
    next(reading)
    assert set(made) <= {0, 1}
    assert len(list(reading)) == 8
    assert sorted(made) == list(range(9))


def test_pieces_are_the_array_one_after_the_other() -> None:
    def rows(source: Array) -> list[Array]:
        return list(source)

    source = np.arange(6.0).reshape(2, 3)
    made = Deferred(source, "negated", (2, 3), np.negative, rows)
    assert [part().tolist() for part in made.parts()] == [[0, -1, -2], [-3, -4, -5]]
    assert [part().tolist() for part in doubled(1).parts()] == [[2, 2, 2]]


def test_errors_and_wrong_shapes_are_not_hidden() -> None:
    wrong = Deferred(np.zeros(3), "wrong", (4,), lambda source: source)
    with pytest.raises(AssertionError):
        list(arrays_of([np.zeros(1), wrong], 2))


def test_threads_end_where_reading_does() -> None:
    known = set(threading.enumerate())
    reading = arrays_of([doubled(n) for n in range(9)], 2)
    next(reading)
    threads = set(threading.enumerate()) - known
    assert 1 <= len(threads) <= 2
    reading.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_many_parts_are_made_by_few_threads() -> None:
    seen: set[int] = set()

    def make(source: Array) -> Array:
        seen.add(threading.get_ident())
        return source

    noted = Deferred(np.zeros(200), "noted", (200,), make, lambda source: np.split(source, 200))
    known = set(threading.enumerate())
    for count, _ in enumerate(in_order(noted.parts(), 2)):
        assert len(set(threading.enumerate()) - known) <= 2, count
    assert 1 <= len(seen) <= 2
