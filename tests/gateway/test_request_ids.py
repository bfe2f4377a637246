"""A request has one id: in the payload log, in the log's lines and towards its client."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from sardonyx.gateway.gateway import Gateway
from sardonyx.monitor.capture import Collection
from sardonyx.monitor.monitoring import MonitorOptions
from sardonyx.monitor.query import answer
from sardonyx.protocol.wire import inference_pb2 as pb
from tests.gateway.running import running
from tests.serve.models import identity, save

NAME = "x-request-id"
ROW = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}
WRONG = {**ROW, "datatype": "INT8"}
INFER = "/v2/models/echo/infer"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("models")
    save(identity("float"), folder / "echo.onnx")
    home = tmp_path_factory.mktemp("home")
    with running(home, [folder], monitoring=MonitorOptions(home, {"*": Collection()})) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.server.http_url, trust_env=False, verify=False, timeout=60) as client:
        yield client


def kept(gateway: Gateway) -> list[str]:
    monitoring = gateway.monitoring
    assert monitoring.payload is not None and monitoring.store is not None
    monitoring.payload.flush()
    return [row[0] for row in answer(monitoring.store, "echo", "SELECT id FROM requests ORDER BY time")[1]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (INFER, {"inputs": [ROW]}),
        (INFER, {"inputs": [WRONG]}),
        ("/score", {"input_data": [[1.0]]}),
        ("/v2/models/echo/generate", {"x": 1.0}),
        ("/v2/models/echo/generate_stream", {"x": 1.0}),
    ],
    ids=["infer", "refused", "score", "generate", "stream"],
)
def test_what_is_drawn_is_told_and_what_is_sent_is_taken(
    gateway: Gateway, client: httpx.Client, path: str, body: Any
) -> None:
    drawn = [client.post(path, json=body).headers[NAME] for _ in range(3)]
    assert len({*drawn}) == 3
    sent = [client.post(path, json=body, headers={NAME: "mine"}).headers[NAME] for _ in range(3)]
    assert sent == ["mine"] * 3
    assert kept(gateway)[-6:] == [*drawn, *sent]


def test_a_body_in_parts_has_an_id_too(gateway: Gateway, client: httpx.Client) -> None:
    parts = iter([b'{"inputs": [{"name": "x", "datatype": "FP32", ', b'"shape": [1, 1], "data": [1]}]}'])
    reply = client.post(INFER, content=parts)
    assert (reply.status_code, reply.headers[NAME]) == (200, kept(gateway)[-1])


def test_the_protocols_own_id_is_the_one_that_is_kept(gateway: Gateway, client: httpx.Client) -> None:
    reply = client.post(INFER, json={"id": "seven", "inputs": [ROW]}, headers={NAME: "mine"})
    assert (reply.json()["id"], reply.headers[NAME], kept(gateway)[-1]) == ("seven", "mine", "seven")
    reply = client.post(INFER, json={"id": "eight", "inputs": [ROW]})
    assert (NAME in reply.headers, kept(gateway)[-1]) == (False, "eight")


def test_what_was_never_a_request_still_has_the_clients_id(client: httpx.Client) -> None:
    for path in (INFER, "/score", "/v2/models/none/generate"):
        reply = client.post(path, content=b"{", headers={NAME: "mine"})
        assert (reply.status_code, reply.headers.get(NAME)) == (400, "mine"), path


def test_a_long_id_is_cut_and_no_id_breaks_a_header(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.http_port)
    for given, told in (("a" * 1000, "a" * 128), ("ä\xff", "ä\xff")):
        connection.request("GET", "/v2/health/live", headers={NAME: given.encode("latin-1")})
        reply = connection.getresponse()
        assert (reply.read(), reply.headers[NAME].encode("latin-1", "surrogateescape").decode("latin-1"))[1]
        assert reply.headers[NAME] == told
    connection.close()


def test_grpc_tells_it_in_trailing_metadata(gateway: Gateway) -> None:
    request = pb.ModelInferRequest(model_name="echo")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.append(np.float32(1).tobytes())
    with grpc.insecure_channel(f"127.0.0.1:{gateway.server.grpc_port}") as channel:
        infer = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelInferResponse.FromString,
        )
        _, call = infer.with_call(request)
        drawn = dict(call.trailing_metadata())[NAME]
        _, call = infer.with_call(request, metadata=((NAME, "mine"),))
        assert dict(call.trailing_metadata())[NAME] == "mine"
        assert kept(gateway)[-2:] == [drawn, "mine"]
        request.raw_input_contents[0] = b"1"
        with pytest.raises(grpc.RpcError) as failed:
            infer(request, metadata=((NAME, "mine"),))
        assert dict(failed.value.trailing_metadata())[NAME] == "mine"
