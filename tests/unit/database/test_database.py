"""Databases: where they lie, who writes when, and what is said when they are gone, damaged or too new."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from sardonyx.database.base import Base
from sardonyx.database.database import Database, home_folder
from sardonyx.database.registry import ModelRow
from sardonyx.protocol.errors import Code, ServeError


def test_the_home_is_given_or_the_environment_says_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SARDONYX_HOME", str(tmp_path / "env"))
    assert home_folder(tmp_path / "given") == tmp_path / "given"
    assert home_folder() == tmp_path / "env"
    monkeypatch.chdir(tmp_path)
    assert home_folder("here") == tmp_path / "here"


@pytest.mark.skipif(sys.platform == "win32", reason="folders of other systems")
def test_otherwise_it_is_where_the_user_keeps_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SARDONYX_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home_folder() == tmp_path / "sardonyx"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder() == tmp_path / ".local/share/sardonyx"


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
    assert (tmp_path / "sardonyx.db").stat().st_mode & 0o077 == 0


def test_a_silent_write_is_no_change_and_a_read_writes_nothing(database: Database) -> None:
    with database.write(silent=True) as session:
        session.add(ModelRow(name="m", created_by="me"))
    with database.read() as session:
        session.add(ModelRow(name="n", created_by="me"))
        session.flush()
    with database.read() as session:
        assert [row.name for row in session.query(ModelRow)] == ["m"]
    assert database.changes() == 0


def test_what_fails_is_not_written_at_all(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        session.add(ModelRow(name="m", created_by="me"))
        session.flush()
        _ = 1 / 0
    with database.read() as session:
        assert session.query(ModelRow).count() == 0
    assert database.changes() == 0


def test_the_same_name_twice_is_a_conflict(database: Database) -> None:
    twice = [ModelRow(name="m", created_by="me") for _ in range(2)]
    conflict = pytest.raises(ServeError, match="somebody else changed the same thing")
    with conflict as caught, database.write() as session:
        session.add_all(twice)
    assert caught.value.code is Code.CONFLICT


def test_writers_take_turns(database: Database) -> None:
    def add() -> None:
        for _ in range(5):
            with database.write():
                pass

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.changes() == 15


def test_nothing_is_touched_before_it_is_prepared(tmp_path: Path) -> None:
    file = tmp_path / "folder/file.db"
    database = Database(f"sqlite:///{file}", migrate=False)
    assert not file.parent.exists()
    database.prepare()
    assert database.changes() == 0
    database.close()


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServeError, match="cannot be made: (File exists|Not a directory)") as caught:
        Database(f"sqlite:///{tmp_path}/file/sardonyx.db")
    assert caught.value.code is Code.UNAVAILABLE


def test_a_fault_of_the_database_says_when_to_try_again(database: Database) -> None:
    busy = OperationalError("SELECT 1", {}, Exception("it is busy\nand more"))
    refusal = pytest.raises(ServeError, match=r"sardonyx\.db cannot be used: it is busy$")
    with refusal as caught, database.read():
        raise busy
    assert (caught.value.code, caught.value.retry_after_s) == (Code.UNAVAILABLE, 2.0)


def test_a_newer_release_is_told(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO alembic_version VALUES ('future_0099')"))
    with pytest.raises(ServeError, match="newer release"):
        Database(database.url)


def test_a_backup_takes_the_place_of_the_database(tmp_path: Path) -> None:
    database = Database.at_home(tmp_path)
    with database.write():
        pass
    copy = tmp_path / "copy.db"
    database.back_up(copy)
    with pytest.raises(ServeError, match="exists already") as caught:
        database.back_up(copy)
    assert caught.value.code is Code.CONFLICT
    assert copy.stat().st_mode & 0o077 == 0
    with database.write():
        pass
    database.close()
    copy.replace(tmp_path / "sardonyx.db")
    assert Database.at_home(tmp_path).changes() == 1


def test_another_database_is_backed_up_by_its_own_tools(tmp_path: Path) -> None:
    database = Database("postgresql://someone@127.0.0.1:1/none", migrate=False)
    with pytest.raises(ServeError, match="its own tools, such as pg_dump") as caught:
        database.back_up(tmp_path / "copy")
    assert caught.value.code is Code.UNSUPPORTED
    assert not (tmp_path / "copy").exists()


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


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_password_is_not_shown(scheme: str) -> None:
    with pytest.raises(ServeError) as caught:
        Database(f"{scheme}://someone:hunter2@127.0.0.1:1/none")
    assert caught.value.code is Code.UNAVAILABLE
    assert "hunter2" not in str(caught.value)
