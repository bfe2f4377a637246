"""What breaks under a running gateway: database, artefacts, a model. It serves what it can, says the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.gateway.gateway import Gateway
from tests.gateway.running import client_of, entered, running

X = {"x": np.float32([1, 2])}


@pytest.fixture
def home(tmp_path: Path, adding: Callable[[int], Path]) -> Path:
    """A home whose endpoint `sum` is served by add:1; add:2 is the newest."""
    with running(tmp_path / "home") as gateway, client_of(gateway) as client:
        entered(gateway, "add", adding(1))
        entered(gateway, "add", adding(2))
        client.deploy("sum", "add", "1")
    return tmp_path / "home"


class Started:
    """Gateways and clients of a test, stopped at its end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, home: Path, **options: Any) -> tuple[Gateway, Client]:
        gateway = self._stack.enter_context(running(home, **options))
        return gateway, self._stack.enter_context(client_of(gateway, retries=0))


@pytest.fixture
def started() -> Any:
    with ExitStack() as stack:
        yield Started(stack)


def code_of(act: Callable[[], object]) -> Code | None:
    try:
        act()
    except ServeError as error:
        return error.code
    return None


def added(client: Client, model: str = "sum") -> int:
    return int(client.infer(model, X)["y"][0]) - 1


def soon_added(client: Client, number: int) -> None:
    for _ in range(100):
        if code_of(lambda: added(client)) is None:
            break
        time.sleep(0.05)
    assert added(client) == number


def damage(path: Path, size: int = 4096) -> None:
    with path.open("r+b") as stream:
        stream.write(b"\xa5" * size)


def test_a_damaged_database_stops_administration_and_nothing_else(home: Path, started: Started) -> None:
    gateway, client = started(home)
    whole = (home / "sardonyx.db").read_bytes()
    gateway.database.close()
    for path in home.glob("sardonyx.db*"):
        path.unlink()
    (home / "sardonyx.db").write_bytes(whole)
    damage(home / "sardonyx.db")
    time.sleep(1.2)
    assert added(client) == 1
    with pytest.raises(ServeError, match="damaged|cannot be used") as caught:
        client.promote("sum", "blue")
    assert caught.value.code is Code.UNAVAILABLE

    _, late = started(home)
    assert added(late) == 1
    with pytest.raises(ServeError, match="backup"):
        late.models()

    (home / "sardonyx.db").write_bytes(whole)
    for _ in range(100):
        if code_of(late.models) is None:
            break
        time.sleep(0.05)
    assert late.deploy("sum", "add", "2", weight=100).deployments[1].weight == 100
    assert added(late) == 2


def test_without_a_database_and_without_a_snapshot_there_is_nothing_to_serve(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/sardonyx.db").write_bytes(b"this is not a database, though it is long enough" * 100)
    with pytest.raises(ServeError, match="damaged"), running(tmp_path / "home"):
        pass


def test_a_damaged_artefact_costs_its_version_alone(
    home: Path, started: Started, adding: Callable[[int], Path]
) -> None:
    for path in (home / "work/versions").glob("*/model.onnx"):
        path.unlink()
        path.parent.rmdir()
    wrong = adding(1).read_bytes()
    (path,) = (p for p in (home / "artefacts/sha256").glob("??/*") if p.read_bytes() == wrong)
    damage(path, 16)
    _, client = started(home)
    assert added(client, "add") == 2
    assert code_of(lambda: added(client)) in (Code.NOT_FOUND, Code.UNAVAILABLE)
    client.register("add", adding(1))
    soon_added(client, 1)


def test_artefacts_that_come_back_are_served_without_a_change(
    home: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sardonyx.gateway.gateway._RARE_ROUNDS", 1)
    (home / "artefacts/sha256").rename(home / "away")
    (home / "work/versions").rename(home / "versions")
    _, client = started(home)
    assert code_of(lambda: added(client)) in (Code.NOT_FOUND, Code.UNAVAILABLE)
    (home / "away").rename(home / "artefacts/sha256")
    soon_added(client, 1)


def test_a_model_that_cannot_be_loaded_costs_itself_alone(
    home: Path, started: Started, adding: Callable[[int], Path]
) -> None:
    _, client = started(home)
    with pytest.raises(ServeError, match="is not registered"):
        client.register("bad", adding(-1))
    client.register("bad", adding(-1), force=True)
    assert client.ready()
    assert not client.ready("bad")
    assert code_of(lambda: added(client, "bad")) is Code.UNAVAILABLE
    assert added(client) == 1


def test_malformed_bodies_are_refused_with_words(home: Path, started: Started) -> None:
    _, client = started(home)
    http = client._http
    json = {"content-type": "application/json"}
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": 3}',
        b'{"name": "m", "nonsense": 1}',
        b"[" * 50_000,
        b"\xff",
    ):
        answer = http.post("/api/models", content=body, headers=json)
        assert answer.status_code == 400, body[:20]
        assert answer.json()["error"]
    for body in (b"x" * (1 << 20), b'{"name": "' + b"m" * (1 << 20) + b'"}'):
        assert http.post("/api/models", content=body, headers=json).status_code in (400, 413)
    form = {"content-type": "multipart/form-data; boundary=b"}
    for body in (b"", b"--b", b"--b--", b"--b\r\n\r\n\r\n--b--\r\n", b"\0" * 1000):
        assert http.post("/api/models/m/versions", content=body, headers=form).status_code == 400, body[:20]
    files = {"file": ("../../evil.onnx", b"x")}
    assert http.post("/api/models/m/versions", files=files).status_code == 400
    assert http.put("/api/models").status_code == 405
    assert http.get("/api/models?nonsense=1").status_code == 400
    assert http.get("/api/audit?limit=-1").status_code == 400
    assert client.models()
    assert not list(home.parent.glob("evil*"))
