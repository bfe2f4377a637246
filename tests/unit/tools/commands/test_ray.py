"""`sardonyx ray` starts what it was told, until it is interrupted, and names what is missing."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from sardonyx.gateway import ray as cluster
from sardonyx.serve.ending import ending_signals
from sardonyx.tools.commands import ray
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run

WORDS = ("ray", "--database", "postgresql://h/d", "--artefacts", "s3://b/a", "--replicas", "3")


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a stand-in of Ray was told."""
    told: list[Any] = []

    def init(address: str | None, logging_level: str) -> None:
        if address == "nowhere":
            raise ConnectionError(address)
        told.append(("init", address))

    def running(application: Any, **named: Any) -> None:
        told.append((application, named))
        signal.raise_signal(signal.SIGTERM)

    package, serve = ModuleType("ray"), ModuleType("ray.serve")
    vars(package).update(init=init, shutdown=lambda: told.append("ray ends"), serve=serve)
    vars(serve).update(
        start=lambda **options: told.append(options),
        run=running,
        shutdown=lambda: told.append("serve ends"),
    )
    monkeypatch.setitem(sys.modules, "ray", package)
    monkeypatch.setitem(sys.modules, "ray.serve", serve)
    monkeypatch.setattr(cluster, "build", lambda args: args)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    return told


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("words", "address"), [((), "auto"), (("--address", "local"), None)])
def test_it_serves_until_it_is_interrupted(
    words: tuple[str, ...], address: str | None, done: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ray, *WORDS, *words, "--host", "0.0.0.0", "--http-port", "80") == 0
    first, ports, (args, named), *ends = done
    assert first == ("init", address)
    assert ports["http_options"] == {"host": "0.0.0.0", "port": 80} and ports["grpc_options"]["port"] == 8001
    assert (args["database"], args["artefacts"], args["replicas"]) == ("postgresql://h/d", "s3://b/a", 3)
    assert args.keys() <= set(cluster.ClusterOptions.__dataclass_fields__)
    assert named == {"name": cluster.APPLICATION, "route_prefix": "/"} and ends == ["serve ends", "ray ends"]
    assert capsys.readouterr().out == "ready http://0.0.0.0:80 grpc://0.0.0.0:8001\n"


@pytest.mark.parametrize("left_out", [1, 3])
def test_registry_and_artefacts_must_be_named(left_out: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(ray, *WORDS[:left_out], *WORDS[left_out + 2 :])
    assert f"required: {WORDS[left_out]}" in capsys.readouterr().err


@pytest.mark.usefixtures("done")
def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(UserError, match="there is no Ray cluster at nowhere; --address local starts one"):
        run(ray, *WORDS, "--address", "nowhere")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is missing; install it with: pip install 'sardonyx\[ray\]'"):
        run(ray, *WORDS)
