"""Canaries and shadows over a live gateway: steps up while all is well, back by itself when it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np
import onnx
import pytest

from sardonyx.client import Client, ServeError
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.records import CanaryPlan, Endpoint, Version
from tests.gateway.running import entered

Enter = Callable[..., Version]
THREE = """<ir_version: 10, opset_import: ["" : 21]> three (float[3] x) => (float[3] y) { y = Abs(x) }"""
X = {"x": np.float32([1, 2])}


@contextmanager
def asked(connect: Callable[..., Client], endpoint: str) -> Iterator[None]:
    """Within this context somebody asks the endpoint all the time."""
    client, ended = connect(retries=0), Event()

    def ask() -> None:
        while not ended.is_set():
            with suppress(ServeError):
                client.infer(endpoint, X)
            time.sleep(0.002)

    thread = Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def finished(client: Client, endpoint: str) -> Endpoint:
    for _ in range(400):
        found = client.endpoint(endpoint)
        if found.canary is not None and found.canary.state != "running":
            return found
        time.sleep(0.05)
    pytest.fail("the canary did not finish")


def weights(endpoint: Endpoint) -> dict[str, float]:
    return {deployment.name: deployment.weight for deployment in endpoint.deployments}


def test_a_good_canary_gets_all_traffic(connect: Callable[..., Client], client: Client, enter: Enter) -> None:
    enter("add", 1)
    enter("add", 2)
    client.deploy("sum", "add", "1")
    client.deploy("sum", "add", "2")
    plan = CanaryPlan(
        deployment="green", steps=(30, 100), interval_s=1, min_requests=5, max_latency_ratio=100
    )
    begun = client.start_canary("sum", plan)
    assert weights(begun) == {"blue": 70, "green": 30}
    with asked(connect, "sum"):
        done = finished(client, "sum")
    assert done.canary is not None
    assert done.canary.state == "done"
    assert weights(done) == {"blue": 0, "green": 100}
    assert weights(client.rollback("sum")) == {"blue": 100, "green": 0}
    assert client.audit(subject="sum/green")[0].actor == "canary"


def test_a_canary_that_fails_steps_back(connect: Callable[..., Client], client: Client, enter: Enter) -> None:
    enter("add", 1)
    client.deploy("sum", "add", "1")
    enter("add", -1)
    client.deploy("sum", "add", "2", weight=10)
    plan = CanaryPlan(deployment="green", steps=(50, 100), interval_s=60, min_requests=10)
    client.start_canary("sum", plan)
    with asked(connect, "sum"):
        back = finished(client, "sum")
    assert back.canary is not None
    assert back.canary.state == "stepped_back"
    assert "requests failed" in back.canary.reason
    assert weights(back) == {"blue": 90, "green": 10}


def test_a_canary_that_refuses_what_the_others_take_steps_back(
    connect: Callable[..., Client], client: Client, gateway: Gateway, enter: Enter, tmp_path: Path
) -> None:
    enter("add", 1)
    client.deploy("sum", "add", "1")
    onnx.save(onnx.parser.parse_model(THREE), tmp_path / "three.onnx")
    entered(gateway, "add", tmp_path / "three.onnx")
    client.deploy("sum", "add", "2", weight=10)
    client.start_canary(
        "sum", CanaryPlan(deployment="green", steps=(50, 100), interval_s=60, min_requests=10)
    )
    with asked(connect, "sum"):
        back = finished(client, "sum")
    assert back.canary is not None
    assert "it refused" in back.canary.reason
    assert weights(back) == {"blue": 90, "green": 10}


def test_hands_on_the_traffic_end_a_canary(client: Client, enter: Enter) -> None:
    enter("add", 1)
    enter("add", 2)
    client.deploy("sum", "add", "1")
    client.deploy("sum", "add", "2")
    plan = CanaryPlan(deployment="green")
    client.start_canary("sum", plan)
    with pytest.raises(ServeError, match="is running"):
        client.start_canary("sum", plan)
    client.promote("sum", "blue")
    ended = client.endpoint("sum").canary
    assert ended is not None
    assert (ended.state, ended.reason) == ("cancelled", "blue was promoted by hand")
    client.start_canary("sum", plan)
    stopped = client.cancel_canary("sum")
    assert stopped.canary is not None
    assert stopped.canary.state == "cancelled"
    assert weights(stopped) == {"blue": 95, "green": 5}
    for wrong in (
        CanaryPlan(deployment="red"),
        CanaryPlan(deployment="green", steps=()),
        CanaryPlan(deployment="green", steps=(50, 20)),
        CanaryPlan(deployment="green", steps=(0, 200)),
        CanaryPlan(deployment="green", quantile=1),
    ):
        with pytest.raises(ServeError):
            client.start_canary("sum", wrong)


def test_a_shadow_answers_unseen_and_its_differences_are_kept(client: Client, enter: Enter) -> None:
    enter("add", 1)
    enter("add", 2)
    client.deploy("sum", "add", "1")
    client.deploy("sum", "add", "2", shadow=100)
    client.deploy("sum", "add", "1", name="same", shadow=100)
    for number in range(3):
        answer = client.infer("sum", X, id=f"request-{number}")
        assert answer["y"].tolist() == [2, 3]
    for _ in range(100):
        found = client.differences("sum")
        if len(found) == 3:
            break
        time.sleep(0.05)
    assert {(one.deployment, one.shadow) for one in found} == {("blue", "green")}
    assert {one.request for one in found} == {f"request-{number}" for number in range(3)}
    assert found[0].detail["y"] == {
        "elements": 2,
        "of": 2,
        "at": [0],
        "largest": 1.0,
        "served": 2.0,
        "shadow": 3.0,
    }
