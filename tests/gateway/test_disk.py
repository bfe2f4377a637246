"""A disk that is full, a database with a broken page: the server serves what it knows."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sardonyx.client import Client, ServeError
from tests.gateway.running import client_of, entered, running
from tests.gateway.test_killed import check_registry
from tests.serve.process import Served, served

X = {"x": np.float32([1, 2])}
PAGE = 4096


def limit_files(server: Served, size: int) -> None:
    """No file of the server may grow beyond so many bytes: to it the disk is full."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.slow
def test_a_full_disk_refuses_administration_in_words_and_inference_goes_on(
    tmp_path: Path, adding: Callable[[int], Path]
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(adding(1), models / "plain.onnx")
    options = (models, "*", "--home", tmp_path / "home", "--log-payloads")
    with served(*options, log=tmp_path / "log") as server, Client(server.url, retries=0) as client:
        client.register("before", adding(2))
        limit_files(server, 0)
        for number in range(3, 6):
            with pytest.raises(ServeError) as caught:
                client.register(f"during{number}", adding(number))
            assert caught.value.code.http >= 500
            assert "written" in caught.value.message or "cannot be used" in caught.value.message
            with pytest.raises(ServeError, match="cannot be used|written|full"):
                client.create_model(f"empty{number}")
            assert client.infer("plain", X)["y"].tolist() == [2, 3]
            assert client.infer("before", X)["y"].tolist() == [3, 4]
        assert client.ready()
        limit_files(server, resource.RLIM_INFINITY)
        client.register("after", adding(6))
        assert client.infer("after", X)["y"].tolist() == [7, 8]
        assert [model.name for model in client.models()] == ["after", "before"]
        server.kill()
    check_registry(tmp_path / "home")


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
