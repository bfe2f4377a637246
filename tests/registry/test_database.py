"""Databases: migrated tables are the declared ones, damage and newer releases are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from sardonyx.database import Database
from sardonyx.database.base import Base
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.tools.cli import main


def test_migrations_make_the_declared_tables(database: Database) -> None:
    def compare(connection: Connection) -> None:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []

    database.migrated(compare)


def test_a_home_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database.at_home(tmp_path)
        with database.write():
            pass
        database.close()
    assert Database.at_home(tmp_path).changes() == 2


def test_a_newer_release_is_told(tmp_path: Path, database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO alembic_version VALUES ('future_0099')"))
    with pytest.raises(ServeError, match="newer release"):
        Database(database.url)


def test_a_backup_takes_the_place_of_a_damaged_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database.at_home(tmp_path)
    with database.write():
        pass
    copy = tmp_path / "copy.db"
    assert main(["backup", str(copy), "--home", str(tmp_path)]) == 0
    assert main(["backup", str(copy), "--home", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert copy.stat().st_mode & 0o077 == 0
    with database.write():
        pass
    database.close()
    copy.replace(tmp_path / "sardonyx.db")
    assert Database.at_home(tmp_path).changes() == 1


@pytest.mark.parametrize("place", [0, 4096, 8192])
def test_a_damaged_page_is_told_and_nothing_is_served_from_it(tmp_path: Path, place: int) -> None:
    database = Database.at_home(tmp_path)
    with database.write() as session:
        session.execute(text("PRAGMA user_version = 1"))
    database.close()
    with (tmp_path / "sardonyx.db").open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xa5" * 2048)
    with pytest.raises(ServeError, match="damaged") as caught:
        Database.at_home(tmp_path)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("url", ["mysql://host/name", "nonsense", "", "://", "oracle://x"])
def test_other_databases_are_told(url: str) -> None:
    with pytest.raises(ServeError) as caught:
        Database(url)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_password_is_not_shown() -> None:
    with pytest.raises(ServeError) as caught:
        Database("postgresql://someone:hunter2@127.0.0.1:1/none")
    assert caught.value.code is Code.UNAVAILABLE
    assert "hunter2" not in str(caught.value)
