"""Endpoints: what may share traffic, and that what was removed binds nobody."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import (
    CanaryPlan,
    NewDeployment,
    Promotion,
    Signature,
    Spread,
    TensorSpec,
    Version,
)
from sardonyx.registry.canary import Canaries
from sardonyx.registry.endpoints import Endpoints
from sardonyx.registry.observed import WINDOW_S, Observed, Tally

Enter = Callable[..., Version]
PLAN = CanaryPlan(deployment="green", steps=(10, 100), interval_s=60)


def rows_of(count: int) -> Signature:
    return Signature(inputs=[TensorSpec(name="x", type="tensor(float)", shape=["batch", count])])


@pytest.fixture
def endpoints(database: Database, enter: Enter) -> Endpoints:
    """`shop` with `blue` and `green`, which take eight numbers, and `other`, which takes nine."""
    for count in (8, 8, 9):
        enter("digits", signature=rows_of(count))
    found = Endpoints(database)
    for version, name in enumerate(("blue", "green", "other"), start=1):
        found.deploy("shop", NewDeployment(model="digits", version=str(version), name=name), "tester")
    return found


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
        tally = Tally()
        for _ in range(30):
            tally.add("shop", "green", time.time() + WINDOW_S, 0.01, failed=True)
        Observed(database).add("here", tally.take())
        assert Canaries(database).advance()
    else:
        endpoints.roll_back("shop", "", "tester")
    traffic = endpoints.endpoint("shop").traffic
    assert traffic is not None and (traffic.weights, traffic.shadows) == ({"blue": 100}, {})
    endpoints.spread("shop", Spread(weights={"blue": 50, "green": 50}), "tester")
