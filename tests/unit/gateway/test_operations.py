"""The table of administration: paths, scopes, what a principal may see, and the acts themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sardonyx.gateway.monitors import OPERATIONS
from sardonyx.gateway.operations import Administration, Call, Operation
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import SCOPES, NewDeployment, NewEndpoint, Pointer
from tests.unit.gateway.around import administration, entered

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def made(tmp_path: Path) -> Administration:
    return administration(tmp_path / "home", watches=False)


def act(
    made: Administration, name: str, body: Any = None, models: tuple[str, ...] = ("*",), **path: str
) -> Any:
    """The result of an operation; `query_X` are parameters of the query."""
    query = {key.removeprefix("query_"): value for key, value in path.items() if key.startswith("query_")}
    path = {key: value for key, value in path.items() if not key.startswith("query_")}
    call = Call(Principal("tester", models=models), path, query, body)
    return BY_NAME[name].act(made, call)


def test_every_row_is_whole() -> None:
    assert len({(o.method, o.path) for o in OPERATIONS}) == len(BY_NAME) == len(OPERATIONS)
    for operation in OPERATIONS:
        assert operation.scope in SCOPES, operation.name
        assert operation.summary[0].isupper()
        assert operation.method != "GET" or operation.body is None
        assert re.fullmatch(r"(/([a-z]+|\{[a-z]+\}))+", operation.path), operation.path


def test_models_and_versions(made: Administration) -> None:
    entered(made, "digits", tags={"team": "a"})
    entered(made, "faces")
    assert [m.name for m in act(made, "models")] == ["digits", "faces"]
    assert [m.name for m in act(made, "models", models=("f*",))] == ["faces"]
    assert [m.name for m in act(made, "models", query_name="d*")] == ["digits"]


def test_endpoints_are_seen_by_who_may(made: Administration) -> None:
    entered(made, "digits")
    made.endpoints.create(NewEndpoint(name="shop"), "tester")
    made.endpoints.deploy("shop", NewDeployment(model="digits", version="1"), "tester")
    (name,) = [o.name for o in OPERATIONS if (o.method, o.path) == ("GET", "/endpoints")]
    assert [e.name for e in act(made, name)] == ["shop"]
    assert act(made, name, models=("other",)) == []


def test_a_call_names_who_acts_and_what_for() -> None:
    call = Call(
        Principal("me"), {"model": "m", "endpoint": "e"}, {"tag": "a=1,b=x=y,", "limit": "7", "n": ""}
    )
    assert (call.actor, call.tags) == ("me", {"a": "1", "b": "x=y"})
    assert (call.number("limit", 3), call.number("n", 3), call.number("none", None)) == (7, 3, None)
    assert Operation("GET", "/x", "x", "X", "metadata", None, lambda a, c: None).names(call) == ("m", "e")


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "１", "101"])
def test_a_number_of_the_query_is_whole_and_not_too_large(text: str) -> None:
    with pytest.raises(ServeError, match=r"must be a whole number up to 100$") as caught:
        Call(Principal(), query={"limit": text}).number("limit", None, 100)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_an_alias_is_set_for_who_asks(made: Administration) -> None:
    entered(made, "digits")
    (name,) = [o.name for o in OPERATIONS if o.body is Pointer]
    act(made, name, Pointer(version="1"), model="digits", alias="best")
    assert made.catalog.version("digits", "@best").version == "1"
    assert made.audit.entries(limit=1, before=None, subject="", actor="")[0].actor == "tester"
