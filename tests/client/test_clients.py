"""Both clients against a live gateway: the same methods, the same answers, every type of tensor."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest

from sardonyx.client import AsyncClient, Client, Code, ServeError
from sardonyx.gateway.gateway import Gateway
from sardonyx.tools import unasync
from tests.gateway.running import running

IDENTITY = """
<ir_version: 10, opset_import: ["" : 21]>
same ({type}[N, M] x) => ({type}[N, M] y) {{ y = Identity(x) }}
"""
TYPES = {
    "bool": np.array([[True, False]]),
    "uint8": np.uint8([[0, 255]]),
    "int8": np.int8([[-128, 127]]),
    "uint16": np.uint16([[1, 65535]]),
    "int16": np.int16([[-1, 1]]),
    "uint32": np.uint32([[1, 2**32 - 1]]),
    "int32": np.int32([[-1, 2**31 - 1]]),
    "uint64": np.uint64([[1, 2**64 - 1]]),
    "int64": np.int64([[-1, 2**63 - 1]]),
    "float16": np.float16([[1.5, np.inf]]),
    "bfloat16": np.array([[1.5, -2]], ml_dtypes.bfloat16),
    "float": np.float32([[np.nan, -np.inf]]),
    "double": np.float64([[1e300, np.nan]]),
    "string": np.array([["", "größe\0x"]], object),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that serves the identity of every type from a folder."""
    folder = tmp_path_factory.mktemp("models")
    for type_ in TYPES:
        onnx.save(onnx.parser.parse_model(IDENTITY.format(type=type_)), folder / f"{type_}.onnx")
    with running(tmp_path_factory.mktemp("home"), sources=[folder]) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.server.http_url) as client:
        yield client


@pytest.mark.parametrize("type_", TYPES)
def test_a_tensor_of_every_type_comes_back_as_it_was(client: Client, type_: str) -> None:
    answer = client.infer(type_, {"x": TYPES[type_]}, id="seven", outputs=["y"])
    assert (answer.model, answer.id) == (type_, "seven")
    got = answer["y"]
    if type_ == "string":
        got = np.array([[text.decode() for text in row] for row in got], object)
    np.testing.assert_array_equal(got, TYPES[type_])
    empty = client.infer(type_, {"x": TYPES[type_][:0]})["y"]
    assert empty.shape == (0, 2)


def test_lists_and_other_orders_are_taken(client: Client) -> None:
    np.testing.assert_array_equal(client.infer("float", {"x": [[1.5, 2]]})["y"], [[1.5, 2]])
    np.testing.assert_array_equal(client.infer("int64", {"x": [[1, 2]]})["y"], [[1, 2]])
    assert client.infer("string", {"x": [["a", "b"]]})["y"].tolist() == [[b"a", b"b"]]
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(client.infer("float", {"x": turned})["y"], turned)
    swapped = np.float32([[1, 2]]).astype(">f4")
    np.testing.assert_array_equal(client.infer("float", {"x": swapped})["y"], [[1, 2]])
    with pytest.raises(ValueError, match="no type for complex"):
        client.infer("float", {"x": np.complex64([[1]])})


def test_what_the_server_refuses_is_an_error_with_its_words(client: Client) -> None:
    for act, code, words in (
        (lambda: client.infer("none", {"x": [1.0]}), Code.NOT_FOUND, "none"),
        (lambda: client.infer("float", {"z": [[1.0]]}), Code.INVALID_ARGUMENT, "z"),
        (lambda: client.model("none"), Code.NOT_FOUND, "none"),
        (lambda: client.model("a/../b"), Code.INVALID_ARGUMENT, "a/../b"),
        (lambda: client.model("a b"), Code.NOT_FOUND, "a b"),
    ):
        with pytest.raises(ServeError, match=words) as caught:
            act()
        assert caught.value.code is code


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with Client("http://127.0.0.1:9", retries=1) as client:
        assert not client.live()
        with pytest.raises(ServeError, match="does not answer") as caught:
            client.models()
    assert caught.value.code is Code.UNAVAILABLE


def test_the_server_tells_of_itself(client: Client) -> None:
    assert client.live()
    assert client.ready()
    assert client.ready("float")
    assert not client.ready("none")
    assert client.metadata()["name"] == "sardonyx"
    assert client.metadata("float")["inputs"][0]["datatype"] == "FP32"
    assert {row["state"] for row in client.repository()} == {"READY"}
    client.unload("int8")
    assert not client.ready("int8")
    client.load("int8")
    assert client.ready("int8")
    assert client.statistics("float")["model_stats"][0]["name"] == "float"


def test_the_asynchronous_client_does_the_same(gateway: Gateway) -> None:
    async def ask() -> None:
        async with AsyncClient(gateway.server.http_url) as client:
            answers = await asyncio.gather(
                *(client.infer("float", {"x": np.float32([[number]])}) for number in range(20))
            )
            assert [answer["y"][0, 0] for answer in answers] == list(range(20))
            assert await client.ready()
            await client.create_model("made", tags={"a": "b"})
            assert [model.name for model in await client.models(tags={"a": "b"})] == ["made"]
            await client.delete_model("made")
            with pytest.raises(ServeError, match="none"):
                await client.model("none")

    asyncio.run(ask())


def test_the_synchronous_client_is_written_from_the_asynchronous_one() -> None:
    for source, target in unasync.FILES.items():
        assert target.read_text(encoding="utf-8") == unasync.synchronous(source.read_text(encoding="utf-8"))


def test_every_operation_has_its_method() -> None:
    from sardonyx.gateway.monitors import OPERATIONS

    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction)}
    assert {operation.name for operation in OPERATIONS} - {"keys"} <= methods


def test_downloads_stay_in_their_folder(gateway: Gateway, client: Client, tmp_path: Path) -> None:
    get: Callable[[str], int] = lambda path: client._http.get(path).status_code  # noqa: E731
    source = next(iter(gateway.core.repository.loaded("float", ""))).offer.path
    client.register("kept", source)
    assert get("/api/models/kept/versions/1/files/model.onnx") == 200
    for path in ("../../../sardonyx.db", "%2e%2e/%2e%2e/sardonyx.db", "/etc/passwd", "..%2f..%2fstate.bin"):
        assert get(f"/api/models/kept/versions/1/files/{path}") == 404
