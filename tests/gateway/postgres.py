"""A real PostgreSQL, started for a test: Debian's package, or whatever `initdb` is found."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_OWNER = "postgres"
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Postgres:
    """A cluster that can be stopped and started again."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://sardonyx@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """The URL of an empty database beside the others."""
        name = f"beside{next(_NUMBERS)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.url.rpartition('/')[0]}/{name}"

    def start(self) -> None:
        sockets = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        options = f"-p {self.port} {sockets} -c fsync=off"
        self._control("start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._control("stop", "-w", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        _run(self.programs / "pg_ctl", "-D", str(self.folder / "data"), *arguments)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running cluster; the test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; `apt-get install postgresql` brings it")
    with tempfile.TemporaryDirectory(prefix="sardonyx-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, _OWNER)
        cluster = Postgres(programs, folder, _free_port())
        _run(programs / "initdb", "-A", "trust", "-U", "sardonyx", "-D", str(folder / "data"), "--no-sync")
        cluster.start()
        try:
            yield cluster
        finally:
            if (folder / "data/postmaster.pid").exists():
                cluster.stop()


def _programs() -> Path | None:
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in found if (path / "initdb").exists()), None)


def _run(program: Path, *arguments: str) -> None:
    user = _OWNER if os.geteuid() == 0 else None
    done = subprocess.run(
        [program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
        user=user,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
