"""A disk that is full, a database with a broken page: the server serves what it knows."""

from __future__ import annotations

import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from sardonyx.client import Client, ServeError
from tests.gateway.running import client_of, entered, running
from tests.gateway.test_killed import check_registry
from tests.serve.process import Served, served

X = {"x": np.float32([1, 2])}
PAGE = 4096


class Limit:
    """A disk that is full to the server alone: none of its files may grow."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def fill(self, server: Served) -> None:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, server: Served) -> None:
        resource.prlimit(
            server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


class Small:
    """A disk of 16 MB that somebody else fills to the last byte."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def fill(self, server: Served) -> None:
        with suppress(OSError), (self.home / "filler").open("wb", buffering=0) as stream:
            while stream.write(b"\0" * PAGE):
                pass

    def free(self, server: Served) -> None:
        (self.home / "filler").unlink()


@pytest.fixture(params=[Limit, Small])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Limit | Small]:
    home = tmp_path / "home"
    home.mkdir()
    mounted = request.param is Small
    if mounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(home)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a small disk needs root's rights here")
    yield request.param(home)
    if mounted:
        subprocess.run(["umount", str(home)], check=True)


def told(act: Callable[[], object]) -> bool:
    """Whether an act was acknowledged; if not, it was refused in words."""
    try:
        act()
    except ServeError as error:
        assert error.code.http >= 500, error
        assert re.search("cannot be used|written|full", error.message), error.message
        return False
    return True


@pytest.mark.slow
def test_a_full_disk_refuses_administration_in_words_and_inference_goes_on(
    tmp_path: Path, adding: Callable[[int], Path], disk: Limit | Small
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(adding(1), models / "plain.onnx")
    options = (models, "*", "--home", disk.home, "--log-payloads")
    with served(*options, log=tmp_path / "log") as server, Client(server.url, retries=0) as client:
        client.register("before", adding(2))
        disk.fill(server)
        made = {f"empty{n}" for n in range(40) if told(lambda n=n: client.create_model(f"empty{n}"))}
        assert len(made) < 40
        for number in range(3, 6):
            assert not told(lambda number=number: client.register(f"during{number}", adding(number)))
            assert client.infer("plain", X)["y"].tolist() == [2, 3]
            assert client.infer("before", X)["y"].tolist() == [3, 4]
        assert client.ready()
        disk.free(server)
        client.register("after", adding(6))
        assert client.infer("after", X)["y"].tolist() == [7, 8]
        assert {model.name for model in client.models()} == {"after", "before"} | made
        server.kill()
    check_registry(disk.home)


def pages_of(database: Path) -> dict[str, int]:
    """The first page of each table, by name; pages are counted from 1."""
    connection = sqlite3.connect(database)
    rows = connection.execute("select name, rootpage from sqlite_master where type = 'table'").fetchall()
    connection.close()
    return dict(rows)


@pytest.mark.parametrize("table", ["versions", "audit", "all"])
def test_a_broken_page_is_told_and_what_was_known_is_served(
    tmp_path: Path, adding: Callable[[int], Path], table: str
) -> None:
    home = tmp_path / "home"
    with running(home) as gateway, client_of(gateway) as client:
        entered(gateway, "add", adding(1))
        client.deploy("sum", "add", "1")
    path = home / "sardonyx.db"
    pages = pages_of(path)
    broken = list(pages.values()) if table == "all" else [pages[table]]
    with path.open("r+b") as stream:
        for page in broken:
            stream.seek((page - 1) * PAGE + (100 if page == 1 else 0))
            stream.write(b"\xa5" * (PAGE - 100))
    with running(home) as gateway, client_of(gateway, retries=0) as client:
        assert client.infer("sum", X)["y"].tolist() == [2, 3]
        told = []
        for act in (client.models, client.endpoints, client.audit, lambda: client.create_model("more")):
            try:
                act()
            except ServeError as error:
                assert error.code.http == 503
                assert "damaged" in error.message, error.message
                told.append(error)
        assert told
        assert client.live()
