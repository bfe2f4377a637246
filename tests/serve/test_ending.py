"""How a server ends: what was received is answered, what is still on its way does not hold it up for long."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.http.direct import LAST_BODY_S
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.models import identity, save, step
from tests.serve.process import served
from tests.serve.running import client_of, running
from tests.serve.test_rude_clients import INFER, SLOW, SLOW_CONFIG, URL, message, sleep, until

SERVICE = "/inference.GRPCInferenceService"
DRAIN_S = 30.0
SHORT_S = LAST_BODY_S + 6
Open = Callable[[Server, list[Any]], Awaitable[Any]]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    step(root, "slow", SLOW, SLOW_CONFIG)
    save(identity("float"), root / "same.onnx")
    return root


def halved(path: str, body: bytes = b"{", length: str = "content-length: 1000") -> Open:
    async def open_(server: Server, held: list[Any]) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        held.append(writer)
        return reader.read

    return open_


async def stream(server: Server, held: list[Any]) -> Any:
    """A stream in which one request was answered, and no other comes."""
    channel = grpc.aio.insecure_channel(server.grpc_url.removeprefix("grpc://"))
    call = channel.stream_stream(
        f"{SERVICE}/ModelStreamInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=pb.ModelStreamInferResponse.FromString,
    )()
    held += [channel, call]
    await call.write(message(0))
    assert (await call.read()).infer_response.model_name == "slow"
    return call.read


async def watch(server: Server, held: list[Any]) -> Any:
    channel = grpc.aio.insecure_channel(server.grpc_url.removeprefix("grpc://"))
    call = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )(health_pb2.HealthCheckRequest())
    held += [channel, call]
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    return call.read


async def let_go(held: list[Any]) -> None:
    for one in held:
        if isinstance(one, asyncio.StreamWriter):
            one.close()
        elif isinstance(one, grpc.aio.Channel):
            await one.close()


@pytest.mark.parametrize(
    "opened",
    [
        halved("/v2/models/same/infer"),
        halved("/v2/repository/models/x/load"),
        halved("/v2/models/same/infer", b"5\r\nabc", "transfer-encoding: chunked"),
        stream,
        watch,
    ],
    ids=["inference", "upload", "chunked", "stream", "watch"],
)
def test_who_sends_nothing_more_does_not_hold_up_the_end(models: Path, opened: Open) -> None:
    async def run() -> float:
        held: list[Any] = []
        async with running(models, ServeOptions(drain_s=DRAIN_S)) as server:
            await opened(server, held)
            await asyncio.sleep(0.1)
            began = time.monotonic()
            await server.stop()
            took_s = time.monotonic() - began
        await let_go(held)
        return took_s

    assert asyncio.run(run()) < SHORT_S


def test_a_body_that_is_completed_in_time_is_answered_and_one_that_is_not_is_told(models: Path) -> None:
    whole = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [7]}]}'

    async def run() -> tuple[bytes, bytes]:
        held: list[Any] = []
        path, length = "/v2/models/same/infer", f"content-length: {len(whole)}"
        async with running(models, ServeOptions(drain_s=DRAIN_S)) as server:
            late = await halved(path, whole[:20], length)(server, held)
            never = await halved(path, whole[:20], length)(server, held)
            await asyncio.sleep(0.1)
            ending = asyncio.create_task(server.stop())
            await asyncio.sleep(LAST_BODY_S / 4)
            held[0].write(whole[20:])
            answers = await late(), await never()
            await ending
        await let_go(held)
        return answers

    answered, told = asyncio.run(run())
    assert answered.startswith(b"HTTP/1.1 200 ") and answered.endswith(b"}")
    assert told.startswith(b"HTTP/1.1 503 ") and b"the server ends before" in told
    assert b"retry-after: 1" in told.lower()


def test_what_was_received_is_answered_however_long_it_takes(models: Path) -> None:
    """Longer than what is on its way has, by HTTP, by gRPC and in a stream."""
    long_s = LAST_BODY_S * 1.5

    async def run() -> tuple[Any, ...]:
        held: list[Any] = []
        async with (
            running(models, ServeOptions(drain_s=DRAIN_S)) as server,
            client_of(server) as client,
            grpc.aio.insecure_channel(server.grpc_url.removeprefix("grpc://")) as channel,
        ):
            read = await stream(server, held)
            await held[-1].write(message(long_s))
            ask = channel.unary_unary(
                INFER,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=pb.ModelInferResponse.FromString,
            )
            unary = asyncio.ensure_future(ask(message(0.1)))
            posted = asyncio.create_task(client.post(URL, json=sleep(0.1)))
            while server.core.model("slow").depth < 3:
                await asyncio.sleep(0.01)
            ending = asyncio.create_task(server.stop())
            found = await asyncio.gather(posted, unary, read())
            await ending
        await let_go(held)
        return found

    posted, unary, streamed = asyncio.run(run())
    assert posted.status_code == 200
    assert np.frombuffer(unary.raw_output_contents[0], np.float32) == np.float32(0.1)
    output = streamed.infer_response.raw_output_contents[0]
    assert np.frombuffer(output, np.float32) == np.float32(long_s)


BEHIND = {
    "head": b"POST /v2/models/same/infer HTTP/1.1\r\nhost:",
    "body": b"POST /v2/models/same/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    "upload": b"POST /v2/repository/models/x/load HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
}


def pipelined(behind: bytes, slow_s: float) -> bytes:
    body = json.dumps(sleep(slow_s)).encode()
    return b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s%s" % (
        *(URL.encode(), len(body), body, behind),
    )


@pytest.mark.parametrize("behind", BEHIND)
def test_a_half_request_behind_one_that_was_received_neither_ends_it_nor_holds_up_the_end(
    models: Path, behind: str
) -> None:
    """The first takes longer than the half one has, whose time begins with its turn."""
    slow_s = LAST_BODY_S * 1.5

    async def run() -> tuple[bytes, float]:
        async with running(models, ServeOptions(drain_s=DRAIN_S)) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(pipelined(BEHIND[behind], slow_s))
            await until(lambda: server.core.model("slow").depth == 1)
            began = time.monotonic()
            await server.stop()
            took_s = time.monotonic() - began
            answered = await reader.read()
        await let_go([writer])
        return answered, took_s

    answered, took_s = asyncio.run(run())
    assert answered.startswith(b"HTTP/1.1 200 ") and b'"slept"' in answered
    assert took_s < slow_s + SHORT_S


@pytest.mark.parametrize("behind", BEHIND)
def test_the_time_of_a_half_request_begins_with_its_turn(models: Path, behind: str) -> None:
    async def run() -> tuple[bytes, float]:
        async with running(models, ServeOptions(client_s=1)) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(pipelined(BEHIND[behind], 2))
            began = time.monotonic()
            answered = await asyncio.wait_for(reader.read(), 10)
        await let_go([writer])
        return answered, time.monotonic() - began

    answered, took_s = asyncio.run(run())
    assert answered.startswith(b"HTTP/1.1 200 ") and b'"slept"' in answered
    assert took_s > 2.9


@pytest.fixture
def hang_ups() -> Iterator[None]:
    """Processes hear of a closed terminal, also where `nohup` began the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_ups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_told_to_end_does_so_beside_a_body_that_stays_half(
    models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    async def run() -> tuple[int, float]:
        with served(models, log=tmp_path / "log") as server:
            url = httpx.URL(server.url)
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(b"POST /v2/models/same/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            await writer.drain()
            async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
                asking = asyncio.create_task(client.post(URL, json=sleep(LAST_BODY_S * 1.5)))
                await asyncio.sleep(1)
                server.process.send_signal(number)
                began = time.monotonic()
                status = (await asking).status_code
            server.process.wait(DRAIN_S)
            took_s = time.monotonic() - began
            await let_go([writer])
            return status, took_s

    status, took_s = asyncio.run(run())
    assert status == 200 and took_s < LAST_BODY_S * 1.5 + SHORT_S
