"""The connection to the database: SQLite in the home folder, or PostgreSQL by URL.

Decides how transactions begin, what waits for whom, and what is said when the database is gone or damaged.
Must not know what the tables mean.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, exc, make_url, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from sardonyx.database import migrations
from sardonyx.database.registry import ChangeRow
from sardonyx.protocol.errors import Code, ServeError, invalid

_BUSY_S = 10
_MIGRATION_LOCK = 0x5A7D0


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """The folder of database, artefacts and logs: given, SARDONYX_HOME, or the user's data folder."""
    chosen = home or os.environ.get("SARDONYX_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "sardonyx"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "sardonyx"


class Database:
    """One database; safe to use from several threads. Without `migrate` it is not touched before `prepare`.

    Raises ServeError UNAVAILABLE wherever the database cannot be reached or is damaged.
    """

    def __init__(self, url: str | URL, *, migrate: bool = True) -> None:
        self.url = _url(url)
        self.shown = self.url.render_as_string(hide_password=True)
        self._engine = _engine(self.url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._writing = {"writes": True} if self.is_sqlite else {"isolation_level": "READ COMMITTED"}
        self._prepared = False
        if migrate:
            self.prepare()

    def prepare(self) -> None:
        """Look for damage and bring the tables up to date, once."""
        if self._prepared:
            return
        with self._explained():
            if self.is_sqlite:
                _touch(self.url)
                self._look_for_damage()
            self.migrated(migrations.upgrade)
        self._prepared = True

    @classmethod
    def at_home(cls, home: Path) -> Database:
        """The SQLite database of a home folder, which is made if it is missing."""
        return cls(URL.create("sqlite", database=str(home / "sardonyx.db")))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with self._explained(), Session(self._engine) as session:
            yield session
            session.rollback()

    @contextmanager
    def write(self, *, silent: bool = False) -> Iterator[Session]:
        """A session that commits at the end, all or nothing; one writer at a time.

        Counts one change, which gateways watch for, unless it is `silent`.
        """
        with self._explained(), Session(self._engine) as session:
            session.connection(execution_options=self._writing)
            change = session.get_one(ChangeRow, 1, with_for_update=True)
            change.number += not silent
            yield session
            session.commit()

    def changes(self) -> int:
        """How often something has changed; equal numbers mean equal states."""
        with self.read() as session:
            return session.scalar(select(ChangeRow.number).where(ChangeRow.id == 1)) or 0

    def back_up(self, path: Path) -> None:
        """Write SQLite's content, as of one moment, to a new file that only its owner can read.

        Raises ServeError CONFLICT if the file exists, UNSUPPORTED for other databases.
        """
        if not self.is_sqlite:
            raise ServeError(Code.UNSUPPORTED, f"{self.shown} is backed up by its own tools, such as pg_dump")
        try:
            path.touch(0o600, exist_ok=False)
        except FileExistsError:
            raise ServeError(Code.CONFLICT, f"{path} exists already") from None
        with self._explained(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def migrated(self, step: Callable[[Connection], None]) -> None:
        """Run `step` in a transaction that no other migration meets."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(**self._writing)
            if not self.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            step(connection)
            connection.commit()

    def _look_for_damage(self) -> None:
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise self._damaged(str(found))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise ServeError(
                Code.CONFLICT, f"somebody else changed the same thing at the same time: {error.orig}"
            ) from error
        except exc.DataError as error:
            raise invalid(f"the database cannot keep or find this: {error.orig}") from error
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            raise self._unreachable(error) from error
        except exc.DatabaseError as error:
            if self.is_sqlite:
                raise self._damaged(str(error.orig)) from error
            raise

    def _unreachable(self, error: exc.SQLAlchemyError) -> ServeError:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if "malformed" in cause or "not a database" in cause:
            return self._damaged(cause)
        return ServeError(Code.UNAVAILABLE, f"the database {self.shown} cannot be used: {cause}", 2.0)

    def _damaged(self, found: str) -> ServeError:
        return ServeError(
            Code.UNAVAILABLE,
            f"the database {self.shown} is damaged ({found}); stop all gateways and put a backup in its "
            "place (remove FILE-wal and FILE-shm), or save what can be read with `sqlite3 FILE .recover`",
        )


def _touch(url: URL) -> None:
    """Make the file before SQLite does, so that only its owner can read it."""
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(0o600)
        except OSError as error:
            raise ServeError(Code.UNAVAILABLE, f"{path} cannot be made: {error.strerror}") from error


def _url(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise invalid("the database must be a URL such as postgresql://user@host/name") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise invalid(f"the database may be SQLite or PostgreSQL, not {parsed.get_backend_name()}")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": _BUSY_S, "check_same_thread": False})
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begins)
        return engine
    timeouts = {"connect_timeout": 3, "tcp_user_timeout": 5000, "options": "-c statement_timeout=15000"}
    try:
        return create_engine(
            url, isolation_level="REPEATABLE READ", pool_pre_ping=True, pool_timeout=5, connect_args=timeouts
        )
    except ModuleNotFoundError as error:
        raise invalid(
            f"{error.name} is missing; install it with: pip install 'sardonyx[postgres]'"
        ) from error


def _sqlite_connected(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begins(connection: Connection) -> None:
    """A reader that turns writer can deadlock; so writers say so at the start."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
