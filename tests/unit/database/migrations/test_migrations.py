"""Every step is taken once, by whichever release comes first; a newer database is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from sardonyx.database import Database
from sardonyx.database.migrations import HEADS, configuration, upgrade
from sardonyx.protocol.errors import Code, ServeError


@pytest.fixture
def connection() -> Iterator[Connection]:
    with create_engine("sqlite://").connect() as connection:
        yield connection


def heads(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def test_all_steps_are_taken_once(connection: Connection) -> None:
    for _ in range(2):
        upgrade(connection)
        assert heads(connection) == set(ScriptDirectory.from_config(configuration()).get_heads())
    assert inspect(connection).has_table("models")
    assert connection.execute(text("SELECT number FROM changes")).scalars().all() == [0]


def test_an_older_database_keeps_its_rows(connection: Connection) -> None:
    upgrade(connection)
    connection.execute(text("DROP TABLE usage"))
    connection.execute(text("ALTER TABLE deployments DROP COLUMN first_traffic"))
    connection.execute(
        text("UPDATE alembic_version SET version_num = 'registry_0001' WHERE version_num = 'registry_0003'")
    )
    connection.execute(text("UPDATE changes SET number = 7"))
    upgrade(connection)
    assert inspect(connection).has_table("usage")
    assert connection.execute(text("SELECT number FROM changes")).scalar() == 7


def test_tables_of_a_newer_release_are_left_alone(connection: Connection) -> None:
    upgrade(connection)
    connection.execute(text("INSERT INTO alembic_version VALUES ('future_0099')"))
    with pytest.raises(
        ServeError, match=r"newer release of sardonyx \(future_0099\); install that"
    ) as caught:
        upgrade(connection)
    assert caught.value.code is Code.UNAVAILABLE


def test_every_subject_is_a_branch_of_its_own() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert {label for s in scripts.walk_revisions() for label in s.branch_labels} == {
        "registry",
        "monitoring",
    }
    assert len(scripts.get_bases()) == len(scripts.get_heads()) == 2
    assert set(scripts.get_heads()) == HEADS


def test_a_database_of_today_is_taken_as_it_is(tmp_path: Path) -> None:
    """Nothing is imported for steps that are not missing."""
    database = Database.at_home(tmp_path)
    database.close()
    program = (
        "import sys; from pathlib import Path; from sardonyx.database import Database\n"
        "print(Database.at_home(Path(sys.argv[1])).changes(), 'alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
