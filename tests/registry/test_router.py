"""Which deployment answers: shares, clients that stick, shadows, names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Context, InferRequest
from sardonyx.registry.router import RegistryRouter, preferred
from sardonyx.registry.state import EndpointState, State, VersionState
from sardonyx.serve.seams import Target

TARGETS = {
    name: Target("digits", str(number), name) for number, name in enumerate(("blue", "green", "grey"), 1)
}
MODELS = {"digits": frozenset("123")}


def state(
    weights: Mapping[str, float], shadows: Mapping[str, float] | None = None, sticky: str = ""
) -> State:
    endpoint = EndpointState("sum", sticky, TARGETS, weights, shadows or {})
    wanted = tuple(VersionState("digits", version, "", (), {}) for version in "12")
    aliases = {("digits", "champion"): "2"}
    return State(1, {"sum": endpoint}, MODELS, {"digits": "2"}, aliases, {}, wanted)


def request(model: str = "sum", version: str = "", **headers: str) -> InferRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InferRequest(model, [], version, context=Context(headers=named))


def test_each_deployment_gets_its_share() -> None:
    router = RegistryRouter(lambda: state({"blue": 70, "green": 25, "grey": 5}), seed=1)
    seen = Counter(router.route(request()).target.deployment for _ in range(20_000))
    assert abs(seen["blue"] - 14_000) < 400
    assert abs(seen["green"] - 5_000) < 350
    assert abs(seen["grey"] - 1_000) < 200


def test_a_client_sticks_and_only_those_move_that_must() -> None:
    clients = [f"client-{number}" for number in range(5_000)]
    before = {client: preferred(client, "sum", {"blue": 90, "green": 10}) for client in clients}
    after = {client: preferred(client, "sum", {"blue": 60, "green": 40}) for client in clients}
    assert abs(Counter(before.values())["green"] - 500) < 100
    assert abs(Counter(after.values())["green"] - 2_000) < 170
    assert all(after[client] == "green" for client in clients if before[client] == "green")
    assert {client: preferred(client, "sum", {"blue": 90, "green": 10}) for client in clients} == before
    router = RegistryRouter(lambda: state({"blue": 50, "green": 50}, sticky="x-user"))
    for client in clients[:50]:
        chosen = {router.route(request(x_user=client)).target.deployment for _ in range(10)}
        assert len(chosen) == 1
    assert len({router.route(request()).target.deployment for _ in range(100)}) == 2


def test_shadows_are_asked_beside_and_never_beside_themselves() -> None:
    router = RegistryRouter(lambda: state({"blue": 50, "green": 50}, {"grey": 100, "green": 100}), seed=2)
    for _ in range(200):
        route = router.route(request())
        assert [shadow.deployment for shadow in route.shadows] == [
            name for name in ("grey", "green") if name != route.target.deployment
        ]
    router = RegistryRouter(lambda: state({"blue": 100}, {"grey": 20}), seed=3)
    assert abs(sum(len(router.route(request()).shadows) for _ in range(5_000)) - 1_000) < 150


def test_the_same_decision_is_the_same_route_until_the_state_changes() -> None:
    states = [state({"blue": 50, "green": 50}, {"grey": 50})]
    router = RegistryRouter(lambda: states[-1], seed=4)
    routes = [router.route(request()) for _ in range(100)]
    assert all(route.drawn for route in routes)
    assert len(set(routes)) == len({(route.target, route.shadows) for route in routes}) == 4
    states.append(state({"blue": 50, "green": 50}, {"grey": 50}))
    assert not set(routes) & {router.route(request()) for _ in range(100)}
    assert not router.route(request("digits")).drawn


def test_what_a_name_means() -> None:
    router = RegistryRouter(lambda: state({"blue": 100}))
    assert router.route(request("digits")).target == Target("digits", "2")
    assert router.route(request("digits@champion")).target == Target("digits", "2")
    assert router.route(request("digits", "@champion")).target == Target("digits", "2")
    assert router.route(request("digits", "1")).target == Target("digits", "1")
    assert router.route(request("sum", "green")).target == TARGETS["green"]
    assert router.route(request(sardonyx_deployment="grey")).target == TARGETS["grey"]
    assert router.route(request("of a folder", "7")).target == Target("of a folder", "7")
    for wrong in (
        request("digits@nobody"),
        request("sum", "red"),
        request("digits", "3"),
        request(azureml_model_deployment="red"),
    ):
        with pytest.raises(ServeError) as caught:
            router.route(wrong)
        assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(ServeError) as caught:
        RegistryRouter(lambda: state({})).route(request())
    assert caught.value.code is Code.UNAVAILABLE
