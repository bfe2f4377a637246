"""Calls on threads that stay: each ends in its result or its error, and the threads end with who asks."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from sardonyx.base.workers import Workers


def test_all_calls_are_made_by_as_many_threads_as_may_be() -> None:
    at_once = threading.Barrier(3)

    def name() -> int:
        at_once.wait(10)
        return threading.get_ident()

    with Workers(3) as workers:
        made = [workers.call(name) for _ in range(12)]
        assert len({call.result() for call in made}) == 3


def test_no_thread_begins_without_a_call_for_it() -> None:
    known = set(threading.enumerate())
    with Workers(8) as workers:
        assert set(threading.enumerate()) <= known
        assert workers.call(lambda: 3).result() == 3
        assert len(set(threading.enumerate()) - known) == 1


def test_an_error_is_raised_where_the_result_is_asked_for_and_ends_no_thread() -> None:
    with Workers(1) as workers:
        wrong, right = workers.call(lambda: 1 // 0), workers.call(lambda: 1)
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        assert right.result() == 1


def test_threads_end_after_the_calls_that_were_asked_for() -> None:
    may_end, ended, known = threading.Event(), list[int](), set(threading.enumerate())
    with Workers(1) as workers:
        workers.call(lambda: may_end.wait(10))
        made = [workers.call(partial(ended.append, n)) for n in range(3)]
        (thread,) = set(threading.enumerate()) - known
    may_end.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [call.result() for call in made] == [None] * 3
    assert ended == [0, 1, 2]
