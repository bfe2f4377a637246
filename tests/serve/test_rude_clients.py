"""Clients that leave, dawdle, send too much or send nonsense; models that are slow, fail or hang."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import numpy as np
import pytest

from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.models import identity, save
from tests.serve.running import client_of, running

SLOW = """
import time

def run(seconds):
    if seconds[0, 0] < 0:
        raise ValueError("less than no time")
    time.sleep(float(seconds[0, 0]))
    return {"slept": seconds}
"""
SLOW_CONFIG = """
max_batch_size: 1
input [ { name: "seconds" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "slept" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
INFER = "/inference.GRPCInferenceService/ModelInfer"
FOREVER = 3600.0


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "slow" / "1").mkdir(parents=True)
    (tmp_path / "slow" / "1" / "model.py").write_text(SLOW)
    (tmp_path / "slow" / "config.pbtxt").write_text(SLOW_CONFIG)
    save(identity("float"), tmp_path / "same.onnx")
    return tmp_path


def sleep(seconds: float, **parameters: Any) -> dict[str, Any]:
    tensor = {"name": "seconds", "datatype": "FP32", "shape": [1, 1], "data": [seconds]}
    return {"inputs": [tensor], "parameters": parameters}


def message(seconds: float) -> Any:
    request = pb.ModelInferRequest(model_name="slow")
    request.inputs.add(name="seconds", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.append(np.float32(seconds).tobytes())
    return request


URL = "/v2/models/slow/infer"
Use = Callable[[Server, httpx.AsyncClient], Coroutine[Any, Any, Any]]


def served(models: Path, use: Use, **options: Any) -> Any:
    async def run() -> Any:
        async with running(models, ServeOptions(**options)) as server, client_of(server) as client:
            return await asyncio.wait_for(use(server, client), 30)

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_who_leaves_over_http_is_not_run(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> int:
        model = server.core.model("slow")
        first = asyncio.create_task(client.post(URL, json=sleep(0.4)))
        await until(lambda: model.depth == 1)
        second = asyncio.create_task(client.post(URL, json=sleep(0.1)))
        await until(lambda: model.depth == 2)
        second.cancel()
        await until(lambda: model.depth == 1)
        assert (await first).status_code == 200
        return model.statistics.executions

    assert served(models, use) == 1


def test_who_leaves_over_grpc_is_not_run(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> int:
        model = server.core.model("slow")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.unary_unary(
                INFER, pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
            )
            first = asyncio.ensure_future(call(message(1.0)))
            await until(lambda: model.depth == 1)
            second = call(message(0.1))
            await until(lambda: model.depth == 2)
            second.cancel()
            await until(lambda: model.depth < 2)
            await first
        return model.statistics.executions

    assert served(models, use) == 1


def test_time_is_over(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        reply = await client.post(URL, json=sleep(0.3, timeout=50_000))
        assert reply.status_code == 504
        assert "timeout expired" in reply.json()["error"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.unary_unary(INFER, pb.ModelInferRequest.SerializeToString)
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await call(message(0.3), timeout=0.05)
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    served(models, use)


@pytest.mark.parametrize("status", [503, 429])
def test_too_many_are_sent_away_and_told_when_to_come_back(models: Path, status: int) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        tasks = [asyncio.create_task(client.post(URL, json=sleep(0.2))) for _ in range(2)]
        await until(lambda: server.core.model("slow").depth == 2)
        reply = await client.post(URL, json=sleep(0.2))
        assert (reply.status_code, reply.headers["retry-after"]) == (status, "1")
        assert "Exceeds maximum queue size" in reply.json()["error"]
        assert {(await task).status_code for task in tasks} == {200}

    served(models, use, queue_size=2, overload_status=status)


def test_a_model_that_fails_says_so_and_goes_on(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        reply = await client.post(URL, json=sleep(-1))
        assert reply.status_code == 500
        assert "model 'slow' failed: ValueError: less than no time" in reply.json()["error"]
        assert (await client.post(URL, json=sleep(0))).status_code == 200

    served(models, use)


def test_a_model_that_hangs_holds_up_nobody_else(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        hanging = asyncio.create_task(client.post(URL, json=sleep(FOREVER), timeout=60))
        await until(lambda: server.core.model("slow").depth == 1)
        reply = await client.post(URL, json=sleep(0, timeout=50_000))
        assert reply.status_code == 504
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}
        assert (await client.post("/v2/models/same/infer", json={"inputs": [tensor]})).status_code == 200
        assert (await client.post("/v2/repository/models/slow/unload", json={})).status_code == 200
        assert (await hanging).status_code == 503
        assert (await client.post("/v2/repository/models/slow/load", json={})).status_code == 200
        assert (await client.post(URL, json=sleep(0))).status_code == 200

    served(models, use, drain_s=0.3)


def test_what_was_accepted_is_answered_when_the_server_ends(models: Path) -> None:
    async def run() -> tuple[int, int]:
        async with running(models) as server, client_of(server) as client:
            over_http = asyncio.create_task(client.post(URL, json=sleep(0.5)))
            await until(lambda: server.core.model("slow").depth == 1)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
                call: Any = channel.unary_unary(
                    INFER, pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
                )
                over_grpc = asyncio.ensure_future(call(message(0.1)))
                await until(lambda: server.core.model("slow").depth == 2)
                await server.stop()
                return (await over_http).status_code, len((await over_grpc).outputs)

    assert asyncio.run(run()) == (200, 1)


async def said(server: Server, text: bytes, wait_s: float) -> bytes:
    """What a client gets that says so much and then waits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.read(), wait_s)
    finally:
        writer.close()


CHUNKED = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"POST /v2/models/same/infer HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "text", [b"", b"POST /v2", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{", HEAD + b"\r\n" + HEAD]
)
def test_who_does_not_go_on_is_left(models: Path, text: bytes) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> bytes:
        return await said(server, text, 5)

    answer = served(models, use, client_s=0.2)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 70000\r\n\r\n" + b" " * 70_000, b"413"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (
            HEAD + CHUNKED + b"ffff\r\n" + b" " * 65535 + b"\r\n0\r\n\r\n",
            b"413",
        ),
    ],
)
def test_nonsense_is_refused(models: Path, text: bytes, status: bytes) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> bytes:
        answer = await said(server, text, 5)
        assert (await client.get("/v2/health/live")).status_code == 200
        return answer

    assert served(models, use, max_body_bytes=50_000, client_s=1).split(b" ")[1] == status


@pytest.mark.parametrize("begun", [b"POST /v2/models/same/infer HTTP/1.1\r\nX-Long: ", b"GET /"])
def test_headers_without_end_are_not_kept(models: Path, begun: bytes) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> tuple[bytes, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        writer.write(begun)
        sent = 0
        try:
            for _ in range(1000):
                writer.write(b"x" * (1 << 15))
                await writer.drain()
                sent += 1 << 15
        except ConnectionError:
            pass
        try:
            answer = await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            answer = b""
        writer.close()
        assert (await client.get("/v2/health/live")).status_code == 200
        return answer, sent

    answer, sent = served(models, use)
    assert sent < 1000 << 15
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_a_long_cookie_is_read(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> int:
        return (await client.get("/v2/health/live", headers={"cookie": "x" * 30_000})).status_code

    assert served(models, use) == 200


def test_requests_one_after_the_other_before_any_answer(models: Path) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1]}
    bodies = [json.dumps({"inputs": [{**tensor, "data": [n]}]}).encode() for n in range(5)]
    slow = json.dumps(sleep(0.1)).encode()
    slow_head = HEAD.replace(b"same", b"slow")
    parts = [HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    parts.insert(2, slow_head + b"Content-Length: %d\r\n\r\n" % len(slow) + slow)
    parts.insert(4, b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    parts.append(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    async def use(server: Server, client: httpx.AsyncClient) -> bytes:
        return await said(server, b"".join(parts), 10)

    answer = served(models, use)
    assert answer.count(b"HTTP/1.1 200") == len(parts)
    order = [b'"data":[0.0]', b'"data":[1.0]', b'"slow"', b'"data":[2.0]', b'"live"', b'"data":[3.0]']
    places = [answer.index(part) for part in order]
    assert places == sorted(places)


def test_a_body_in_pieces(models: Path) -> None:
    array = np.random.default_rng(0).random((300, 50), np.float32)
    header = json.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "datatype": "FP32",
                    "shape": array.shape,
                    "parameters": {"binary_data_size": array.nbytes},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    body = header + array.tobytes()
    head = HEAD + b"Inference-Header-Content-Length: %d\r\nConnection: close\r\n" % len(header)

    async def use(server: Server, client: httpx.AsyncClient) -> list[bytes]:
        answers = []
        for coded in (False, True):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(
                head
                + (
                    b"Transfer-Encoding: chunked\r\n\r\n"
                    if coded
                    else b"Content-Length: %d\r\n\r\n" % len(body)
                )
            )
            for start in range(0, len(body), 7001):
                piece = body[start : start + 7001]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if coded else piece)
                await writer.drain()
                await asyncio.sleep(0)
            if coded:
                writer.write(b"0\r\n\r\n")
            answers.append(await reader.read())
            writer.close()
        return answers

    for answer in served(models, use):
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(array.tobytes())
