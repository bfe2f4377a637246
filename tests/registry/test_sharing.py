"""Which deployments share traffic: what brings them together, and an alias that moves one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import CanaryPlan, Promotion, Spread, Version
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.endpoints import Endpoints, find_endpoint
from sardonyx.registry.references import find_model
from sardonyx.registry.sharing import current_traffic, refuse_misfits, refuse_moved
from tests.gateway.postgres import Postgres, postgres
from tests.homes import prepared
from tests.registry.shops import held, rows_of

Enter = Callable[..., Version]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database.at_home(prepared(tmp_path / "home"))
    else:
        database = Database(request.getfixturevalue("cluster").new_database())
    yield database
    database.close()


def test_a_mixture_of_before_is_refused_anew_only_where_something_moves(
    mixed: Endpoints, database: Database
) -> None:
    with database.read() as session:
        shop = find_endpoint(session, "shop")
        now = current_traffic(shop)
        assert now is not None and now.weights == {"blue": 50, "moving": 50}
        refuse_misfits(session, shop, now.weights)
        refuse_moved(session, find_model(session, "digits"), "other")
        with pytest.raises(ServeError, match="'blue' and 'moving' cannot share the traffic of shop"):
            refuse_moved(session, find_model(session, "digits"), "champion")
        with pytest.raises(ServeError, match="'green' and 'other' cannot share"):
            refuse_misfits(session, shop, ("green", "other"))


def test_those_that_share_traffic_already_may_go_on(mixed: Endpoints) -> None:
    mixed.spread("shop", Spread(weights={"blue": 80, "moving": 20}), "tester")
    mixed.undeploy("shop", "other", "tester")
    assert held(mixed) == ({"blue": 80, "moving": 20}, {})
    with pytest.raises(ServeError, match="'green' and 'moving' cannot share"):
        mixed.spread("shop", Spread(weights={"blue": 50, "green": 30, "moving": 20}), "tester")
    mixed.promote("shop", Promotion(deployment="blue"), "tester")
    with pytest.raises(ServeError, match="'blue' and 'moving' cannot share"):
        mixed.spread("shop", Spread(weights={"blue": 80, "moving": 20}), "tester")


@pytest.mark.parametrize("way", ["alias", "registration", "canary"])
def test_an_alias_does_not_bring_other_inputs_into_shared_traffic(
    moving: Endpoints, catalog: Catalog, enter: Enter, way: str
) -> None:
    if way == "canary":
        moving.promote("shop", Promotion(deployment="blue"), "tester")
        plan = CanaryPlan(deployment="moving", steps=(10, 100), interval_s=60)
        moving.start_canary("shop", plan, "tester")
    before = held(moving), len(catalog.versions("digits"))
    with pytest.raises(ServeError, match="'blue' and 'moving' cannot share the traffic of shop") as caught:
        if way == "registration":
            enter("digits", "sigmoid.onnx", signature=rows_of(9), aliases=["champion"])
        else:
            catalog.set_alias("digits", "champion", "3", "tester")
    assert caught.value.code is Code.CONFLICT
    assert catalog.model("digits").aliases == {"champion": "2"}
    assert (held(moving), len(catalog.versions("digits"))) == before
    catalog.set_alias("digits", "champion", "1", "tester")
    catalog.set_alias("digits", "other", "3", "tester")


def test_a_version_that_was_refused_leaves_no_files(moving: Endpoints, enter: Enter, tmp_path: Path) -> None:
    def files() -> set[Path]:
        return {path for path in (tmp_path / "home/artefacts").rglob("*") if path.is_file()}

    before = files()
    with pytest.raises(ServeError, match="cannot share"):
        enter("digits", "sigmoid.onnx", signature=rows_of(9), aliases=["champion"])
    assert files() == before
    enter("digits", "sigmoid.onnx", signature=rows_of(8), aliases=["champion"])
    assert len(files()) == len(before) + 1


def test_an_alias_goes_where_it_is_alone_or_mends_a_mixture(mixed: Endpoints, catalog: Catalog) -> None:
    catalog.set_alias("digits", "champion", "1", "tester")
    mixed.promote("shop", Promotion(deployment="moving"), "tester")
    catalog.set_alias("digits", "champion", "3", "tester")
    with pytest.raises(ServeError, match="'blue' and 'moving' cannot share"):
        mixed.roll_back("shop", "", "tester")
    assert held(mixed)[0] == {"moving": 100}
    catalog.set_alias("digits", "champion", "2", "tester")
    mixed.roll_back("shop", "", "tester")
    assert held(mixed)[0] == {"blue": 50, "moving": 50}
