"""Answers of shadows are laid beside those served, and only endpoints with a canary are counted."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.database import Database
from sardonyx.gateway.traffic import TrafficObserver
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import CanaryPlan
from sardonyx.registry import observed
from sardonyx.registry.canary import Move, verdict
from sardonyx.registry.differences import Differences
from sardonyx.registry.observed import Counts, Observed
from sardonyx.serve.seams import Record, Route, Target
from tests.monitor.records import record

SHADOWS = (Target("m", "2", "green"), Target("m", "3", "grey"))


class Seen:
    def __init__(self, folder: Path, canary: bool = True) -> None:
        self.database = Database(f"sqlite:///{folder}/r.db")
        endpoint = SimpleNamespace(canary=canary)
        state: Any = SimpleNamespace(endpoints={"e": endpoint})
        self.observer = TrafficObserver(lambda: state, self.database)

    def pairs(self) -> list[Any]:
        self.observer.flush()
        return Differences(self.database).entries("e")

    def counted(self) -> tuple[int, int, int]:
        """Requests, errors among them, and what was refused."""
        whole = Counts()
        for counts in self.observer._tally.take().values():
            whole.merge(counts)
        return whole.requests, whole.errors, whole.refused


def served(value: float, shadows: int = 1, **more: Any) -> Record:
    made = record({}, {"y": np.float32([value])}, model="e", deployment="blue", id="r1", **more)
    return replace(made, route=Route(Target("m", "1", "blue"), SHADOWS[:shadows]))


def shadow(of: Record, value: float, number: int = 0, code: Code | None = None) -> Record:
    made = record({}, {"y": np.float32([value])}, code=code)
    return replace(made, request=of.request, route=Route(SHADOWS[number]), shadow_of="blue")


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path)


def test_only_what_differs_is_kept(seen: Seen) -> None:
    for value in (1.0, 2.0):
        one = served(1.0)
        seen.observer.observe(one)
        seen.observer.observe(shadow(one, value))
    (found,) = seen.pairs()
    assert (found.deployment, found.shadow, found.request) == ("blue", "green", "r1")
    assert "y" in found.detail
    assert not seen.observer._served, "pairs that are complete are let go"


def test_each_of_several_shadows_is_compared(seen: Seen) -> None:
    one = served(1.0, 2)
    seen.observer.observe(one)
    seen.observer.observe(shadow(one, 3.0, 0))
    seen.observer.observe(shadow(one, 1.0, 1, Code.INTERNAL))
    grey, green = seen.pairs()
    assert (green.shadow, grey.shadow) == ("green", "grey")
    assert grey.detail == {"shadow": {"error": "refused"}}


def test_the_newest_differences_are_kept_in_their_order(seen: Seen) -> None:
    for number in range(300):
        one = served(1.0, finished_s=number)
        seen.observer.observe(one)
        seen.observer.observe(shadow(one, 2.0 if number % 2 else 1.0))
    newest = [found.at.timestamp() for found in seen.pairs()]
    assert newest == list(range(299, 99, -2))


def test_a_round_ends_while_answers_keep_coming(seen: Seen) -> None:
    """Whatever else the round does, such as moving canaries, comes after it."""
    one, over = served(1.0), threading.Event()
    other = shadow(one, 2.0)

    def answer() -> None:
        while not over.is_set():
            seen.observer._pairs.append((one, other))

    answering, late = threading.Thread(target=answer), threading.Timer(10, over.set)
    for thread in (answering, late):
        thread.start()
    began = time.monotonic()
    found = seen.pairs()
    took_s = time.monotonic() - began
    over.set()
    late.cancel()
    answering.join()
    assert took_s < 9 and len(found) <= 100


def test_what_a_lost_database_did_not_take_is_written_later(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, write = served(1.0), Database.write
    for record_ in (one, shadow(one, 2.0)):
        seen.observer.observe(record_)

    def lost(self: Database, **given: Any) -> Any:
        raise ServeError(Code.UNAVAILABLE, "gone")

    for _ in range(3):
        monkeypatch.setattr(Database, "write", lost)
        with pytest.raises(ServeError):
            seen.observer.flush()
        seen.observer.observe(served(1.0, 0))
    monkeypatch.setattr(Database, "write", write)
    assert len(seen.pairs()) == 1
    assert len(seen.pairs()) == 1, "what is written is written once"
    with seen.database.read() as session:
        counts = Observed(seen.database).since(session, "e", datetime.fromtimestamp(0, UTC))
    assert counts["blue"].requests == 4


def test_what_waits_for_a_database_is_bounded(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: Database, **given: Any) -> Any:
        raise ServeError(Code.UNAVAILABLE, "gone")

    monkeypatch.setattr(Database, "write", lost)
    monkeypatch.setattr(observed, "KEPT_WINDOWS", 3)
    for second in range(150):
        one = served(1.0, finished_s=second)
        seen.observer.observe(one)
        seen.observer.observe(shadow(one, 2.0))
        with pytest.raises(ServeError):
            seen.observer.flush()
    assert [len(found) for found in seen.observer._unwritten.values()] == [100]
    assert sorted(key[2] for key in seen.observer._tally.take()) == [147, 148, 149]


def test_a_shadow_of_an_unknown_request_is_nothing(seen: Seen) -> None:
    seen.observer.observe(shadow(served(1.0), 2.0))
    assert seen.pairs() == []


def test_what_a_canary_counts(seen: Seen, tmp_path: Path) -> None:
    for code in (None, *Code):
        seen.observer.observe(served(1.0, 0, code=code))
    seen.observer.observe(record(model="e"))
    failed = {Code.INTERNAL, Code.UNAVAILABLE, Code.DEADLINE, Code.QUOTA}
    refused = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNSUPPORTED}
    answered_or_left = 2
    assert seen.counted() == (answered_or_left + len(failed), len(failed), len(refused)), (
        "what asks no deployment is nothing"
    )
    (tmp_path / "other").mkdir()
    other = Seen(tmp_path / "other", canary=False)
    other.observer.observe(served(1.0, 0))
    assert other.counted() == (0, 0, 0)


def test_a_canary_that_clients_give_up_waiting_for_goes_back(seen: Seen) -> None:
    def answered(deployment: str, code: Code | None, total_ns: int) -> None:
        for _ in range(30):
            seen.observer.observe(
                record(model="e", deployment=deployment, code=code, total_ns=total_ns, finished_s=7)
            )

    answered("blue", None, 5_000_000)
    answered("green", Code.CANCELLED, 500_000_000)
    counts = seen.observer._tally.take()
    canary, others = counts["e", "green", 7], counts["e", "blue", 7]
    assert canary.errors == 0, "a client may leave for reasons of its own"
    found = verdict(CanaryPlan(deployment="green"), 0, 1.0, canary, others)
    assert found.move is Move.BACK
    assert "latency" in found.reason
