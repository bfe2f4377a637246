"""Endpoints: what may share traffic, and that what was removed binds nobody."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect, select

from sardonyx.database import Database
from sardonyx.database.migrations.versions import registry_0003
from sardonyx.database.traffic import CanaryRow
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import (
    CanaryPlan,
    NewDeployment,
    Promotion,
    Spread,
    Version,
)
from sardonyx.registry.canary import Canaries
from sardonyx.registry.endpoints import Endpoints
from sardonyx.registry.observed import WINDOW_S, Observed, Tally
from tests.registry.shops import held

Enter = Callable[..., Version]
PLAN = CanaryPlan(deployment="green", steps=(10, 100), interval_s=60)


@pytest.mark.parametrize("way", ["traffic", "canary", "deploy"])
def test_what_takes_other_inputs_gets_no_part_of_the_traffic(endpoints: Endpoints, way: str) -> None:
    with pytest.raises(ServeError, match="cannot share the traffic of shop: '.*' takes x tensor") as caught:
        if way == "traffic":
            endpoints.spread("shop", Spread(weights={"blue": 50, "other": 50}), "tester")
        elif way == "canary":
            endpoints.start_canary("shop", CanaryPlan(deployment="other", steps=(10, 100)), "tester")
        else:
            endpoints.deploy("shop", NewDeployment(model="digits", version="3", weight=5), "tester")
    assert caught.value.code is Code.CONFLICT
    endpoint = endpoints.endpoint("shop")
    assert endpoint.traffic is not None and endpoint.traffic.weights == {"blue": 100}
    assert endpoint.canary is None and len(endpoint.deployments) == 3
    endpoints.promote("shop", Promotion(deployment="other"), "tester")


@pytest.mark.parametrize("way", ["rollback", "canary"])
def test_traffic_that_comes_back_has_no_shadow_that_was_removed(
    endpoints: Endpoints, database: Database, way: str
) -> None:
    endpoints.spread("shop", Spread(shadows={"other": 100}), "tester")
    if way == "canary":
        endpoints.start_canary("shop", PLAN, "tester")
    else:
        endpoints.promote("shop", Promotion(deployment="green"), "tester")
    endpoints.undeploy("shop", "other", "tester")
    if way == "canary":
        fail(database, "green")
        assert Canaries(database).advance()
    else:
        endpoints.roll_back("shop", "", "tester")
    assert held(endpoints) == ({"blue": 100}, {})
    endpoints.spread("shop", Spread(weights={"blue": 50, "green": 50}), "tester")


@pytest.mark.parametrize("way", ["rollback", "canary"])
def test_a_deployment_that_was_made_anew_does_not_get_the_traffic_of_the_old_one(
    endpoints: Endpoints, database: Database, way: str
) -> None:
    if way == "canary":
        endpoints.start_canary("shop", CanaryPlan(deployment="green", steps=(100,)), "tester")
    else:
        endpoints.promote("shop", Promotion(deployment="green"), "tester")
    endpoints.undeploy("shop", "blue", "tester")
    endpoints.deploy("shop", NewDeployment(model="digits", version="3", name="blue"), "tester")
    said = "the deployment 'blue', which had traffic then, was removed; another has its name now"
    if way == "canary":
        fail(database, "green")
        assert Canaries(database).advance()
        canary = endpoints.endpoint("shop").canary
        assert canary is not None and canary.reason.endswith(f"traffic stays: {said}")
    else:
        with pytest.raises(ServeError, match=said):
            endpoints.roll_back("shop", "", "tester")
    assert held(endpoints) == ({"green": 100}, {})
    endpoints.promote("shop", Promotion(deployment="blue"), "tester")
    endpoints.roll_back("shop", "", "tester")
    assert held(endpoints) == ({"green": 100}, {})


def test_a_shadow_that_was_made_anew_is_not_asked_again(endpoints: Endpoints) -> None:
    endpoints.spread("shop", Spread(shadows={"other": 100}), "tester")
    endpoints.promote("shop", Promotion(deployment="green"), "tester")
    endpoints.undeploy("shop", "other", "tester")
    endpoints.deploy("shop", NewDeployment(model="digits", version="3", name="other"), "tester")
    endpoints.roll_back("shop", "", "tester")
    assert held(endpoints) == ({"blue": 100}, {})


def test_traffic_that_comes_back_without_its_shadow_is_as_it_was(moving: Endpoints) -> None:
    moving.promote("shop", Promotion(deployment="blue"), "tester")
    moving.spread("shop", Spread(shadows={}), "tester")
    moving.undeploy("shop", "other", "tester")
    moving.roll_back("shop", "", "tester")
    moving.roll_back("shop", "", "tester")
    assert held(moving) == ({"blue": 50, "moving": 50}, {})


def test_the_column_of_first_traffic_is_made_and_dropped(database: Database) -> None:
    def columns(connection: Connection) -> set[str]:
        return {row["name"] for row in inspect(connection).get_columns("deployments")}

    def step(connection: Connection) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            registry_0003.downgrade()
            assert "first_traffic" not in columns(connection)
            registry_0003.upgrade()
            assert "first_traffic" in columns(connection)

    database.migrated(step)


def fail(database: Database, deployment: str) -> None:
    """Let a deployment of the shop have failed thirty times."""
    count(database, deployment, times=30, failed=True)


def count(
    database: Database, deployment: str, endpoint: str = "shop", *, times: int = 1, failed: bool = False
) -> None:
    """Let a deployment have answered or failed so many times."""
    tally = Tally()
    for _ in range(times):
        tally.add(endpoint, deployment, time.time() + WINDOW_S, 0.01, failed=failed)
    Observed(database).add("here", tally.take())


@pytest.mark.parametrize("wrong", ["its plan", "its traffic"])
def test_a_canary_that_cannot_go_on_says_why_and_holds_up_no_other(
    endpoints: Endpoints, database: Database, wrong: str
) -> None:
    for version, name in enumerate(("blue", "green"), start=1):
        endpoints.deploy("mall", NewDeployment(model="digits", version=str(version), name=name), "tester")
    plan = CanaryPlan(deployment="green", steps=(10, 100), interval_s=1e-6, min_requests=1)
    for endpoint in ("shop", "mall"):
        endpoints.start_canary(endpoint, plan, "tester")
        count(database, "green", endpoint=endpoint, times=1)
    canaries = Canaries(database)
    with database.write() as session:
        row = session.scalars(select(CanaryRow).where(CanaryRow.endpoint_id == 1)).one()
        kept = row.plan, row.endpoint.current
        if wrong == "its plan":
            row.plan = {**row.plan, "steps": "many"}
        else:
            row.endpoint.current = 99
    while canaries.advance():
        pass
    traffic = endpoints.endpoint("mall").traffic
    assert traffic is not None and traffic.weights == {"green": 100}
    changes = database.changes()
    canaries.advance()
    assert database.changes() == changes
    with database.write() as session:
        row = session.scalars(select(CanaryRow).where(CanaryRow.endpoint_id == 1)).one()
        assert row.state == "running" and row.reason.startswith("it cannot go on: ")
        row.plan, row.endpoint.current = kept
    assert database.changes() == changes + 1
    assert canaries.advance()
    canary = endpoints.endpoint("shop").canary
    assert canary is not None and (canary.step, canary.reason) == (1, "")
