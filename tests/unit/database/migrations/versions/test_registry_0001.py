"""The first tables of the registry: what belongs to a model or an endpoint goes with it."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text

from sardonyx.database.migrations.versions import registry_0001
from tests.unit.database.migrations.versions.first import made_by, parents

PARENTS: dict[str, set[tuple[str, str]]] = {
    "models": set(),
    "versions": {("models", "CASCADE")},
    "aliases": {("models", "CASCADE"), ("versions", "CASCADE")},
    "changes": set(),
    "keys": set(),
    "audit": set(),
    "endpoints": set(),
    "deployments": {("endpoints", "CASCADE")},
    "traffic": {("endpoints", "CASCADE")},
    "canaries": {("endpoints", "CASCADE")},
    "observed": set(),
    "differences": set(),
}
UNIQUE = {
    "models": [["name"]],
    "versions": [["model_id", "number"]],
    "aliases": [["model_id", "name"]],
    "deployments": [["endpoint_id", "name"]],
    "traffic": [["endpoint_id", "number"]],
}


def test_tables_belong_to_each_other() -> None:
    made = made_by(registry_0001.upgrade)
    tables = inspect(made)
    assert {table: parents(made, table) for table in tables.get_table_names()} == PARENTS
    for table, columns in UNIQUE.items():
        assert [unique["column_names"] for unique in tables.get_unique_constraints(table)] == columns


def test_the_count_of_changes_begins_at_nothing() -> None:
    made = made_by(registry_0001.upgrade)
    assert made.execute(text("SELECT id, number FROM changes")).all() == [(1, 0)]


def test_nothing_is_older() -> None:
    with pytest.raises(NotImplementedError, match="first tables"):
        registry_0001.downgrade()
