"""`sardonyx endpoint`, `deploy`, `undeploy`: what is asked of the server, and how an endpoint reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import endpoints
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, NOW, Server

BLUE = r.Deployment(name="blue", model="add", reference="1", version="1", weight=90, **BY)
GREEN = r.Deployment(name="green", model="add", reference="@next", version="2", weight=10, shadow=5, **BY)
ENDPOINT = r.Endpoint(name="sum", description="adds", sticky_header="user", deployments=[BLUE, GREEN], **BY)


def canary(state: Any, reason: str = "") -> r.Endpoint:
    plan = r.CanaryPlan(deployment="green")
    found = r.Canary(deployment="green", plan=plan, state=state, step=1, step_at=NOW, reason=reason, **BY)
    return r.Endpoint(name="sum", canary=found, **BY)


def test_how_an_endpoint_reads() -> None:
    assert endpoints.endpoint_text(ENDPOINT).splitlines() == [
        "sum, sticky by user",
        "adds",
        "  blue   add:1         90 %",
        "  green  add:2  @next  10 %  shadow 5 %",
    ]
    assert endpoints.endpoint_text(canary("running")).splitlines() == [
        "sum",
        "  no deployment yet; `sardonyx deploy` makes one",
        "canary of green: running step 2 of 4",
    ]
    assert endpoints.endpoint_text(canary("stepped_back", "slow")).endswith(
        "canary of green: stepped back  slow"
    )


def test_one_or_all(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("GET /api/endpoints?name=%2A", [])
    server.says("GET /api/endpoints/sum", ENDPOINT)
    assert server.run(endpoints, "endpoint") == 0
    assert capsys.readouterr().out.startswith("no endpoint yet;")
    server.says("GET /api/endpoints?name=%2A", [ENDPOINT, ENDPOINT])
    assert server.run(endpoints, "endpoint") == 0
    assert capsys.readouterr().out.count("sum, sticky") == 2
    assert server.run(endpoints, "endpoint", "sum", "--json") == 0
    assert json.loads(capsys.readouterr().out)["deployments"][1]["reference"] == "@next"
    assert server.key == "Bearer secret"


def test_made_and_removed(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for question in ("POST /api/endpoints", "GET /api/endpoints/sum", "DELETE /api/endpoints/sum"):
        server.says(question, ENDPOINT)
    assert (
        server.run(endpoints, "endpoint", "sum", "--create", "--describe", "adds", "--sticky-header", "user")
        == 0
    )
    assert server.asked[0][1] == {"name": "sum", "description": "adds", "sticky_header": "user"}
    assert server.run(endpoints, "endpoint", "sum", "--delete") == 0
    assert capsys.readouterr().out.endswith("sum is removed\n")
    with pytest.raises(UserError, match="there is no GET /api/endpoints/other"):
        server.run(endpoints, "endpoint", "other")


def test_differences(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    question = "GET /api/endpoints/sum/differences?limit=100"
    server.says(question, [])
    assert server.run(endpoints, "endpoint", "sum", "--differences") == 0
    assert capsys.readouterr().out == "no answer of a shadow differed\n"
    server.says(
        question, [r.Difference(deployment="blue", shadow="green", request="i", at=NOW, detail={"y": 1})]
    )
    assert server.run(endpoints, "endpoint", "sum", "--differences") == 0
    assert capsys.readouterr().out == "2026-01-02 03:04  blue / green  i  {'y': 1}\n"


@pytest.mark.parametrize(("reference", "version"), [("add", ""), ("add:2", "2"), ("add@next", "@next")])
def test_deployments(
    reference: str, version: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says("POST /api/endpoints/sum/deployments", ENDPOINT)
    assert (
        server.run(
            endpoints, "deploy", "sum", reference, "--weight", "10", "--shadow", "5", "--name", "green"
        )
        == 0
    )
    sent = {"model": "add", "version": version, "name": "green", "weight": 10, "shadow": 5}
    assert server.asked == [("POST /api/endpoints/sum/deployments", sent)]
    server.says("DELETE /api/endpoints/sum/deployments/green", ENDPOINT)
    assert server.run(endpoints, "undeploy", "sum", "green") == 0
    assert capsys.readouterr().out.count("sum, sticky by user") == 2
