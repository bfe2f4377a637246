"""Pictures are looked at side by side: results keep their order, and what is raised ends the work."""

from __future__ import annotations

import threading

import pytest

from sardonyx.vision.looking import AHEAD, side_by_side


def test_results_keep_the_order_of_the_pictures() -> None:
    second = threading.Event()

    def look(at: int) -> int:
        if at == 0:
            assert second.wait(10), "the second picture waits for the first"
        second.set()
        return at * at

    told: list[tuple[int, int]] = []
    seen = list(side_by_side(look, range(9), 2, lambda done, total: told.append((done, total))))
    assert seen == [at * at for at in range(9)]
    assert told == [(at, 9) for at in range(9)]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_any_number_of_threads_and_no_picture(threads: int) -> None:
    assert list(side_by_side(str, range(5), threads)) == list("01234")
    assert list(side_by_side(str, [], threads)) == []


def test_the_first_bad_picture_is_told_and_no_other_begun() -> None:
    begun: list[int] = []

    def look(at: int) -> int:
        begun.append(at)
        if at == 3:
            raise ValueError("no picture")
        return at

    with pytest.raises(ValueError, match="no picture"):
        list(side_by_side(look, range(1000), 2))
    assert len(begun) <= 4 + AHEAD * 2


def test_a_cancelled_training_begins_no_other_picture() -> None:
    begun: list[int] = []

    def cancelled(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(begun.append, range(1000), 2, cancelled))
    assert len(begun) <= 6 + AHEAD * 2
