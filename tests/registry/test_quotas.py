"""Quotas: windows that slide, and gateways on one database that count together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect

from sardonyx.database import Database
from sardonyx.database.migrations.versions import registry_0002
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry.quotas import Quotas


@dataclass
class Clock:
    """The time, as a test sets it."""

    now: float = 6000.0

    def __call__(self) -> float:
        return self.now


def admitted(quotas: Quotas, asked: int, text: str = "10/minute", prefix: str = "a") -> int:
    return sum(quotas.hit(prefix, text) is None for _ in range(asked))


def test_a_window_slides() -> None:
    clock = Clock()
    quotas = Quotas(clock=clock)
    assert admitted(quotas, 15) == 10
    assert admitted(quotas, 3, prefix="b") == 3
    assert quotas.hit("a", "10/minute") == pytest.approx(60)
    clock.now += 60
    wait_s = quotas.hit("a", "10/minute")
    assert wait_s is not None and 0 < wait_s <= 6.1
    clock.now += 30
    assert admitted(quotas, 15) == 5
    clock.now += 120
    assert admitted(quotas, 15) == 10


def test_what_it_says_to_wait_is_enough() -> None:
    clock = Clock()
    quotas = Quotas(clock=clock)
    for _ in range(40):
        wait_s = quotas.hit("a", "7/minute")
        if wait_s is not None:
            clock.now += wait_s + 1e-6
            assert quotas.hit("a", "7/minute") is None


def test_gateways_count_together(database: Database) -> None:
    clock = Clock()
    first, second = (Quotas(database, clock) for _ in range(2))
    assert admitted(first, 6) == 6
    first.exchange()
    assert admitted(second, 1) == 1
    second.exchange()
    first.exchange()
    assert admitted(first, 9) + admitted(second, 0) == 3
    first.exchange()
    second.exchange()
    assert admitted(second, 5) == 0
    started_later = Quotas(database, clock)
    assert admitted(started_later, 1) == 1
    started_later.exchange()
    assert admitted(started_later, 5) == 0
    clock.now += 300
    assert admitted(second, 12) == 10
    second.exchange()
    assert admitted(second, 1) == 0


def test_without_its_database_nothing_is_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    quotas, other = Quotas(database, clock), Quotas(database, clock)
    assert admitted(quotas, 4) == 4
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", _gone)
        with pytest.raises(ServeError):
            quotas.exchange()
    assert admitted(quotas, 20) == 6
    quotas.exchange()
    assert admitted(other, 1) == 1
    other.exchange()
    assert admitted(other, 1) == 0


def test_the_table_of_counts_is_made_and_dropped(database: Database) -> None:
    def step(connection: Connection) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            registry_0002.downgrade()
            assert not inspect(connection).has_table("usage")
            registry_0002.upgrade()
            columns = {row["name"] for row in inspect(connection).get_columns("usage")}
            assert columns == {"prefix", "quota", "window", "used", "ends_s"}

    database.migrated(step)


def _gone(**_: object) -> None:
    raise ServeError(Code.UNAVAILABLE, "gone")
