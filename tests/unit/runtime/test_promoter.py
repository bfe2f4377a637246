"""One thread works off what it is given, ends when there is no more, and is no danger to exits and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from sardonyx.runtime import promoter
from sardonyx.runtime.promoter import Promoter, Stopped


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Promoter]:
    monkeypatch.setattr(promoter, "PAUSE_SECONDS", 0.01)
    found = Promoter()
    yield found
    found.end()


def soon(is_so: threading.Event) -> None:
    assert is_so.wait(20), "nothing has happened"


def test_work_is_done_one_after_the_other_by_a_thread_that_then_ends(made: Promoter) -> None:
    done, all_done = list[tuple[int, str]](), threading.Event()
    for number in range(5):

        def work(_: Stopped, number: int = number) -> None:
            done.append((number, threading.current_thread().name))
            if number == 4:
                all_done.set()

        made.add(work)
    soon(all_done)
    assert done == [(n, "sardonyx-promoter") for n in range(5)]
    while made._thread is not None:
        time.sleep(0.01)
    again = threading.Event()
    made.add(lambda _: again.set())
    soon(again)


def test_the_end_stops_what_waits_and_begins_nothing_more(made: Promoter) -> None:
    begun, stopped, later = threading.Event(), threading.Event(), threading.Event()

    def work(is_stopped: Stopped) -> None:
        begun.set()
        if is_stopped(60.0):
            stopped.set()

    made.add(work)
    made.add(lambda _: later.set())
    soon(begun)
    made.end()
    assert stopped.is_set()
    made.add(lambda _: later.set())
    assert not later.wait(0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own")
def test_the_thread_is_as_urgent_as_the_process_whose_exit_waits_for_it(made: Promoter) -> None:
    known, found = threading.Event(), list[int]()

    def work(_: Stopped) -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        known.set()

    made.add(work)
    soon(known)
    assert found == [os.getpriority(os.PRIO_PROCESS, 0)]


def worked(seconds: float) -> float:
    """Processor time that was spent, at least so much."""
    begun = time.thread_time()
    while (spent := time.thread_time() - begun) < seconds:
        pass
    return spent


def test_the_thread_rests_longer_than_it_has_worked(made: Promoter) -> None:
    known, rests = threading.Event(), list[tuple[float, float]]()

    def work(is_stopped: Stopped) -> None:
        for _ in range(3):
            spent, begun = worked(0.02), time.monotonic()
            assert not is_stopped(0.0)
            rests.append((time.monotonic() - begun, spent))
        known.set()

    made.add(work)
    soon(known)
    assert all(rest >= 2 * spent for rest, spent in rests)


def test_the_end_waits_for_no_rest(made: Promoter) -> None:
    resting, stopped = threading.Event(), list[bool]()

    def work(is_stopped: Stopped) -> None:
        resting.set()
        stopped.append(is_stopped(60.0))

    made.add(work)
    soon(resting)
    begun = time.monotonic()
    made.end()
    assert stopped == [True]
    assert time.monotonic() - begun < 20


FORKS = """
import os, threading, time
from sardonyx.runtime import promoter
promoter.PAUSE_SECONDS = 0.0
PROMOTER = promoter.PROMOTER
whole, lost = [], []
def work(stopped):
    while not stopped(0.0):
        with PROMOTER.at_work:
            whole.append(1)
            time.sleep(0.002)
            whole.append(1)
PROMOTER.add(work, lambda: lost.append("begun"))
PROMOTER.add(work, lambda: lost.append("waiting"))
for number in range(20):
    time.sleep(0.001 * (number % 4))
    child = os.fork()
    if not child:
        assert len(whole) % 2 == 0, "a fork in the middle"
        assert lost == ["begun", "waiting"]
        done = threading.Event()
        PROMOTER.add(lambda stopped: done.set())
        assert done.wait(20)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
assert not lost
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks")
def test_no_process_forks_in_the_middle_and_children_begin_afresh() -> None:
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path}\n{FORKS}"], check=True, timeout=60
    )
