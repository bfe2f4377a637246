"""The first tables of monitors: what belongs to a monitor goes with it."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect

from sardonyx.database.migrations.versions import monitoring_0001
from tests.unit.database.migrations.versions.first import made_by, parents


def test_runs_and_alerts_belong_to_their_monitor() -> None:
    made = made_by(monitoring_0001.upgrade)
    tables = inspect(made)
    assert set(tables.get_table_names()) == {"monitors", "monitor_runs", "alerts"}
    for table in ("monitor_runs", "alerts"):
        assert parents(made, table) == {("monitors", "CASCADE")}
    assert [index["column_names"] for index in tables.get_indexes("monitor_runs")] == [["monitor_id", "at"]]


def test_nothing_is_older() -> None:
    with pytest.raises(NotImplementedError, match="first tables"):
        monitoring_0001.downgrade()
