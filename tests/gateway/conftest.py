"""One gateway for tests that do not stop it, with a model whose versions can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import onnx
import pytest

from sardonyx.client import Client
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.records import Version
from tests.gateway.running import client_of, entered, running

ADD = """
<ir_version: 10, opset_import: ["" : 21]>
add (float[N] x) => (float[N] y) {
    c = Constant <value = float {%d}> ()
    y = Add(x, c)
}
"""


UNKNOWN = """
<ir_version: 10, opset_import: ["" : 21, "nowhere" : 1]>
unknown (float[N] x) => (float[N] y) { y = nowhere.Nothing(x) }
"""


@pytest.fixture
def adding(tmp_path: Path) -> Callable[[int], Path]:
    """`adding(3)` is a model file that adds 3; the engine cannot load one that adds less than 0."""

    def saved(number: int) -> Path:
        path = tmp_path / f"add{number}.onnx"
        onnx.save(onnx.parser.parse_model(UNKNOWN if number < 0 else ADD % number), path)
        return path

    return saved


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with running(tmp_path / "home") as gateway:
        yield gateway


@pytest.fixture
def connect(gateway: Gateway) -> Iterator[Callable[..., Client]]:
    """`connect(key)` is a client of the gateway, closed at the end."""
    with ExitStack() as stack:
        yield lambda key=None, **options: stack.enter_context(client_of(gateway, key, **options))


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def enter(gateway: Gateway, adding: Callable[[int], Path]) -> Callable[..., Version]:
    """`enter("add", 3)` registers a version that adds 3, without the time that its checks would take."""
    return lambda model, number, **options: entered(gateway, model, adding(number), **options)
