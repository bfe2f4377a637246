"""Moments are in UTC wherever they are kept, and constraints have names that a migration can say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import MetaData, String, UniqueConstraint, create_engine, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sardonyx.database.base import Base, Moment, now


class Own(DeclarativeBase):
    """Tables of this test, named and typed as those of the project are."""

    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    type_annotation_map = Base.type_annotation_map


class Event(Own):
    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    until: Mapped[datetime | None]


EAST = timezone(timedelta(hours=9))


def test_a_moment_comes_back_in_utc() -> None:
    engine = create_engine("sqlite://")
    Own.metadata.create_all(engine)
    with engine.begin() as connection:
        at = datetime(2024, 1, 1, 3, tzinfo=EAST)
        connection.execute(insert(Event).values(name="a", at=at, until=None))
        found = connection.execute(select(Event.at, Event.until)).one()
    assert tuple(found) == (datetime(2023, 12, 31, 18, tzinfo=UTC), None)
    assert found.at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2024-01-01 00:00:00 has no time zone"):
        Moment().process_bind_param(datetime(2024, 1, 1), sqlite.dialect())


def test_a_database_that_keeps_zones_is_read_in_utc() -> None:
    read = Moment().process_result_value(datetime(2024, 1, 1, 9, tzinfo=EAST), postgresql.dialect())
    assert read is not None
    assert (read, read.tzinfo) == (datetime(2024, 1, 1, tzinfo=UTC), UTC)


def test_constraints_are_named_after_table_and_column() -> None:
    table = Event.metadata.tables["events"]
    assert {str(c.name) for c in table.constraints} == {"pk_events", "uq_events_name"}


def test_now_has_a_zone() -> None:
    assert abs(datetime.now(UTC) - now()) < timedelta(seconds=5)
    assert now().tzinfo is UTC
