"""`kill -9` while a server answers, reloads and registers: it comes back with all that it acknowledged.

KILLS says how often.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from sardonyx.client import Client, ServeError
from sardonyx.database import Database
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.audit import Audit
from sardonyx.registry.catalog import Catalog
from tests.serve.process import Served, repeated, served

KILLS = int(os.environ.get("KILLS", "6"))
X = {"x": np.float32([1, 2])}


def check_registry(home: Path) -> None:
    """What a server left behind after it was killed: every version that is listed is whole."""
    database = Database.at_home(home)
    store = ArtefactStore(home / "artefacts", home / "work")
    for model in Catalog(database, store).models():
        for version in Catalog(database, store).versions(model.name):
            assert store.verify(version.files) == [], (model.name, version.version)
    assert Audit(database).check().broken is None
    database.close()


class Life:
    """Servers one after the other over one home and one folder, each killed while it is busy."""

    def __init__(self, folder: Path, adding: Callable[[int], Path]) -> None:
        self.folder, self.adding = folder, adding
        self.models, self.home = folder / "models", folder / "home"
        self.models.mkdir()
        shutil.copy(adding(1), self.models / "plain.onnx")
        self.registered: dict[str, int] = {}
        self.weights: list[tuple[float, float]] = []
        self.asked = (100.0, 0.0)
        self.chance = random.Random(0)

    def once(self) -> None:
        """Start a server, look whether all is there, keep it busy, kill it."""
        with served(self.models, "*", "--home", self.home, log=self.folder / "log") as server:
            with Client(server.url, retries=0) as client:
                self.look(client)
            with (
                repeated(lambda: self.infer(server)) as answers,
                repeated(lambda: self.reload(server)) as reloads,
                repeated(lambda: self.register(server)) as registrations,
                repeated(lambda: self.change(server)) as changes,
            ):
                began = time.monotonic()
                while min(map(len, (answers, reloads, registrations, changes))) < 2:
                    assert time.monotonic() < began + 60, (reloads, registrations, changes)
                    time.sleep(0.01)
                time.sleep(self.chance.uniform(0, 0.5))
                server.kill()
        for seen in (answers, reloads, registrations, changes):
            assert all(isinstance(one, httpx.TransportError | ServeError) or one == "ok" for one in seen), (
                seen
            )
        assert len(answers) > 5
        check_registry(self.home)

    def look(self, client: Client) -> None:
        """Everything that was acknowledged is served, and says what it said."""
        assert client.ready()
        assert client.infer("plain", X)["y"].tolist() == [2, 3]
        for name, number in self.registered.items():
            assert client.infer(name, X)["y"].tolist() == [1 + number, 2 + number]
        if self.weights:
            deployments = client.endpoint("sum").deployments
            found = tuple(deployment.weight for deployment in deployments)
            assert found in (self.weights[-1], self.asked)

    def infer(self, server: Served) -> str:
        with Client(server.url, retries=0) as client:
            assert client.infer("plain", X)["y"].tolist() == [2, 3]
        return "ok"

    def reload(self, server: Served) -> str:
        with server.client() as client:
            reply = client.post("/v2/repository/models/plain/load", json={})
            assert reply.status_code == 200, reply.text
        return "ok"

    def register(self, server: Served) -> str:
        number = len(self.registered) + 2
        with Client(server.url, retries=0) as client:
            client.register(f"add{number}", self.adding(number))
        self.registered[f"add{number}"] = number
        return "ok"

    def change(self, server: Served) -> str:
        with Client(server.url, retries=0) as client:
            if not self.registered:
                time.sleep(0.02)
                return "ok"
            if not self.weights:
                name = next(iter(self.registered))
                client.deploy("sum", name, "1", name="blue")
                client.deploy("sum", name, "1", name="green")
            green = float(self.chance.randrange(101))
            self.asked = (100 - green, green)
            client.set_traffic("sum", {"blue": 100 - green, "green": green})
            self.weights.append(self.asked)
        return "ok"


@pytest.mark.slow
def test_what_was_acknowledged_outlives_every_kill(tmp_path: Path, adding: Callable[[int], Path]) -> None:
    life = Life(tmp_path, adding)
    for _ in range(KILLS):
        life.once()
    with (
        served(life.models, "*", "--home", life.home, log=tmp_path / "log") as server,
        Client(server.url) as c,
    ):
        life.look(c)
    assert len(life.registered) > KILLS
