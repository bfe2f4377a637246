"""Several gateways on one PostgreSQL: they agree soon, and go on when it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from sardonyx.client import Client, Code, ServeError
from sardonyx.database import Database
from sardonyx.database.base import Base
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.records import NewKey
from tests.gateway.postgres import Postgres, postgres
from tests.gateway.running import client_of, entered, running

X = {"x": np.float32([1, 2])}
AGREE_S = 2.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as cluster:
        yield cluster


class Gateways:
    """Two gateways with homes of their own, one database and one store, and a client of each."""

    def __init__(self, stack: ExitStack, cluster: Postgres, folder: Path) -> None:
        self._stack, self._cluster, self._folder = stack, cluster, folder
        self.first, self.second = self.started("first"), self.started("second")

    def started(self, home: str) -> Gateway:
        options = {"database": self._cluster.url, "artefacts": str(self._folder / "store")}
        return self._stack.enter_context(running(self._folder / home, **options))

    def client(self, gateway: Gateway, key: str | None = None) -> Client:
        return self._stack.enter_context(client_of(gateway, key, retries=0))


@pytest.fixture
def gateways(cluster: Postgres, tmp_path: Path) -> Iterator[Gateways]:
    with ExitStack() as stack:
        yield Gateways(stack, cluster, tmp_path)


def soon(check: Callable[[], bool], within_s: float = AGREE_S) -> float:
    """The seconds until a check holds."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        if check():
            return time.monotonic() - began
        time.sleep(0.02)
    pytest.fail(f"not within {within_s} s")


def added(client: Client) -> int:
    return int(client.infer("sum", X)["y"][0]) - 1


def test_migrations_make_the_declared_tables(cluster: Postgres) -> None:
    def compare(connection: Connection) -> None:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []

    database = Database(cluster.url)
    database.migrated(compare)
    database.close()


def test_gateways_agree_and_go_on_without_their_database(
    gateways: Gateways, cluster: Postgres, adding: Callable[[int], Path]
) -> None:
    first, second = gateways.client(gateways.first), gateways.client(gateways.second)
    for number in (1, 2):
        first.register("add", adding(number))
    first.deploy("sum", "add", "1")
    first.deploy("sum", "add", "2")
    soon(lambda: second.ready("sum"), 10)
    assert added(second) == 1
    second.promote("sum", "green")
    soon(lambda: added(first) == 2)
    second.rollback("sum")
    soon(lambda: added(first) == 1)
    secret = first.create_key("root", role="admin").secret
    soon(lambda: _code(lambda: added(second)) is Code.UNAUTHENTICATED)
    admins = [gateways.client(gateway, secret) for gateway in (gateways.first, gateways.second)]

    cluster.stop()
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        assert [added(admin) for admin in admins] == [1, 1]
        assert _code(lambda: added(first)) is Code.UNAUTHENTICATED
    assert _code(lambda: admins[0].promote("sum")) is Code.UNAVAILABLE
    late = gateways.client(gateways.started("first"), secret)
    assert added(late) == 1

    cluster.start()
    soon(lambda: _code(lambda: admins[0].promote("sum", "green")) is None, 20)
    for client in (*admins, late):
        soon(lambda client=client: added(client) == 2)
    admins[0].delete_endpoint("sum")


def test_quotas_are_counted_together(gateways: Gateways, adding: Callable[[int], Path]) -> None:
    entered(gateways.first, "add", adding(1))
    new = NewKey(name="shop", role="user", quotas=["8/hour"])
    secret = gateways.first.administration.keys.create(new, "test").secret
    first, second = (gateways.client(gateway, secret) for gateway in (gateways.first, gateways.second))
    soon(lambda: all(_name(client) == "shop" and client.ready("add") for client in (first, second)), 10)
    for client in (first, first, first, first, first, second):
        client.infer("add", X)
    for gateway in (gateways.first, gateways.second):
        soon(lambda quotas=gateway.guard.quotas: sum(quotas._told.values()) == 6, 10)
    second.infer("add", X)
    second.infer("add", X)
    assert _code(lambda: second.infer("add", X)) is Code.QUOTA
    soon(lambda: sum(gateways.first.guard.quotas._told.values()) == 8, 10)
    assert _code(lambda: first.infer("add", X)) is Code.QUOTA


def test_what_the_database_cannot_keep_is_refused_or_kept_otherwise(
    cluster: Postgres, tmp_path: Path
) -> None:
    """PostgreSQL has no texts with NUL; who was denied sends some, too, and the rounds go on."""
    options = {"database": cluster.new_database(), "artefacts": str(tmp_path / "store")}
    with running(tmp_path / "home", **options) as gateway, client_of(gateway) as client:
        client.create_model("m")
        for act in (
            lambda: client.create_model("n", description="a\0b"),
            lambda: client.change_model("m", description="\0"),
            lambda: client.create_endpoint("shop", description="\0"),
            lambda: client.model("m\0"),
            lambda: client.endpoint("\0"),
            lambda: client.audit(subject="\0"),
        ):
            assert _code(act) is Code.INVALID_ARGUMENT
        assert [model.name for model in client.models()] == ["m"]
        secret = client.create_key("root", role="admin").secret
        soon(lambda: _code(client.models) is Code.UNAUTHENTICATED)
        assert _code(lambda: client.metadata("a\0b")) is Code.UNAUTHENTICATED
        with client_of(gateway, secret) as admin:
            soon(lambda: any(entry.subject == "a\ufffdb" for entry in admin.audit()))
            assert gateway.administration.audit.check().broken is None


@pytest.mark.slow
@pytest.mark.alone
def test_writers_of_two_gateways_do_not_lose_each_other(gateways: Gateways) -> None:
    new = NewKey(name="root", role="admin")
    secret = gateways.first.administration.keys.create(new, "test").secret
    clients = [gateways.client(gateway, secret) for gateway in (gateways.first, gateways.second)]
    soon(lambda: all(_name(client) == "root" for client in clients), 10)
    clients[0].create_model("shared")

    def tag(number: int) -> None:
        for step in range(6):
            clients[number % 2].change_model("shared", tags={f"tag{number}-{step}": "x"})

    threads = [Thread(target=tag, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients[0].model("shared").tags) == 24
    assert gateways.first.administration.audit.check().broken is None


def _name(client: Client) -> str:
    """Who a gateway takes the client for; before it knows of any key, that is nobody in particular."""
    try:
        return client.identity().name
    except ServeError:
        return ""


def _code(act: Callable[[], object]) -> Code | None:
    try:
        act()
    except ServeError as error:
        return error.code
    return None
