"""The state in memory follows the database, and holds while that is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from sardonyx.database import Database
from sardonyx.ort.logger import ERROR, WARNING, set_default_logger_callback
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import Version
from sardonyx.registry.state import State
from sardonyx.registry.watch import Watch

Enter = Callable[..., Version]


@pytest.fixture
def lines() -> Iterator[list[tuple[int, str]]]:
    lines: list[tuple[int, str]] = []
    set_default_logger_callback(lambda severity, _c, _i, _p, message: lines.append((severity, message)))
    yield lines
    set_default_logger_callback(None)


def test_a_change_is_read_once_and_told(database: Database, enter: Enter) -> None:
    watch, told = Watch(database), list[State]()
    watch.on_change.append(told.append)
    assert watch.state().number == -1
    first = watch.refresh()
    assert watch.refresh() is first
    enter("digits")
    second = watch.refresh()
    assert second.served == {("digits", "1")}
    assert watch.state() is second
    assert told == [first, second]


def test_a_kept_state_holds_until_the_database_is_read(database: Database, enter: Enter) -> None:
    enter("digits")
    known = Watch(database).refresh()
    watch = Watch(database)
    watch.begin_with(known)
    assert watch.state().served == known.served
    assert watch.state().number == -1
    assert watch.refresh() == known


def test_a_database_that_goes_and_comes_back_is_told_once_each(
    database: Database, monkeypatch: pytest.MonkeyPatch, lines: list[tuple[int, str]]
) -> None:
    watch, rounds, asked = Watch(database, interval_s=0.001), threading.Semaphore(0), threading.Semaphore(0)
    watch.every_round.append(rounds.release)

    def gone() -> int:
        asked.release()
        raise ServeError(Code.UNAVAILABLE, "the database is gone")

    watch.start()
    assert rounds.acquire(timeout=10)
    before = watch.state()
    with monkeypatch.context() as patch:
        patch.setattr(database, "changes", gone)
        for _ in range(3):
            assert asked.acquire(timeout=10)
        assert watch.state() is before
        assert watch.lost_since_s is not None
    while rounds.acquire(blocking=False):
        pass
    assert rounds.acquire(timeout=10)
    watch.stop()
    assert watch.lost_since_s is None
    assert [severity for severity, _ in lines] == [ERROR, WARNING]
    assert lines[0][1] == "the database is gone; what was known last goes on to hold"
    assert lines[1][1].startswith("the database is back after ")


@pytest.mark.parametrize("error", [ValueError("odd"), ServeError(Code.INVALID_ARGUMENT, "ValueError: odd")])
def test_a_step_that_fails_ends_neither_the_watching_nor_its_round(
    database: Database, lines: list[tuple[int, str]], error: Exception
) -> None:
    watch, rounds = Watch(database, interval_s=0.001), threading.Semaphore(0)

    def step() -> None:
        raise error

    watch.every_round += [step, rounds.release]
    watch.start()
    for _ in range(2):
        assert rounds.acquire(timeout=10)
    watch.stop()
    assert set(lines) == {(ERROR, "watching the database failed: ValueError: odd")}
    assert watch.lost_since_s is None


def test_a_watch_that_never_began_can_be_stopped(database: Database) -> None:
    watch = Watch(database)
    watch.stop()
    assert watch.state() == State()
