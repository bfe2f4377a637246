"""Clients by the hundred that stop anywhere: nothing of them stays, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
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

WIDE = np.ones((1, 250_000), np.float32)
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save(identity("float"), tmp_path / "same.onnx")
    return tmp_path


def asked(array: np.ndarray[Any, Any]) -> bytes:
    """The bytes of a request whose answer is as long as it is."""
    tensor = f'{{"name": "x", "datatype": "FP32", "shape": [1, {array.shape[1]}], "parameters": '
    header = f'{{"inputs": [{tensor}{{"binary_data_size": {array.nbytes}}}}}], "parameters": '
    text = (header + '{"binary_data_output": true}}').encode()
    head = f"POST /v2/models/same/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text) + array.nbytes}\r\n"
    head += f"Inference-Header-Content-Length: {len(text)}\r\n\r\n"
    return head.encode() + text + array.tobytes()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def settled(files: int) -> None:
    for _ in range(1000):
        if open_files() <= files:
            return
        await asyncio.sleep(0.01)
    assert open_files() <= files


async def check_others(client: httpx.AsyncClient) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}
    assert (await client.post("/v2/models/same/infer", json={"inputs": [tensor]})).status_code == 200


def served(models: Path, use: Any, **options: Any) -> None:
    async def run() -> None:
        async with running(models, ServeOptions(**options)) as server, client_of(server) as client:
            await check_others(client)
            await asyncio.wait_for(use(server, client), 60)

    asyncio.run(run())


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_clients_that_leave_anywhere_in_a_request(models: Path, count: int) -> None:
    text, chance = asked(WIDE[:, :5000]), random.Random(0)

    def leave(server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.http_port)) as client:
            client.sendall(text[: chance.randrange(len(text) + 1)])
            if chance.random() < 0.5:  # a reset instead of an orderly end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def use(server: Server, client: httpx.AsyncClient) -> None:
        files = open_files()
        for _ in range(count // 20):
            for _ in range(20):
                await asyncio.to_thread(leave, server)
            await check_others(client)
        await settled(files)
        assert server.core.model("same").depth == 0

    served(models, use)


def test_a_client_that_does_not_read_its_answer_is_left(models: Path) -> None:
    def stall(server: Server) -> None:
        address = ("127.0.0.1", server.http_port)
        with socket.create_connection(address, timeout=20) as client, pytest.raises(ConnectionError):
            while True:
                client.sendall(text)

    text = asked(WIDE)

    async def use(server: Server, client: httpx.AsyncClient) -> None:
        files = open_files()
        stalled = asyncio.gather(*(asyncio.to_thread(stall, server) for _ in range(3)))
        while not stalled.done():
            await check_others(client)
        await stalled
        await settled(files)

    served(models, use, client_s=0.5)


def test_streams_that_are_dropped(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        message = pb.ModelInferRequest(model_name="same")
        message.inputs.add(name="x", datatype="FP32", shape=[1, 1000])
        message.raw_input_contents.append(WIDE[:, :1000].tobytes())
        for number in range(20):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
                call: Any = channel.stream_stream(
                    STREAM, pb.ModelInferRequest.SerializeToString, pb.ModelStreamInferResponse.FromString
                )()
                for _ in range(5):
                    await call.write(message)
                if number % 2:
                    assert (await call.read()).infer_response.outputs
                call.cancel()
        await check_others(client)
        assert server.core.model("same").depth == 0

    served(models, use)


def test_answers_are_sent_at_once(models: Path) -> None:
    """Without TCP_NODELAY an answer of two parts waits 40 ms for the client to acknowledge the first."""

    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await client.get("/v2/health/live")
        (listener,) = server._http.servers  # type: ignore[union-attr]
        assert [kept.proto for kept in listener.sockets] == [socket.IPPROTO_TCP]
        (connection,) = server._http.server_state.connections  # type: ignore[union-attr]
        kept = connection.transport.get_extra_info("socket")
        assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    served(models, use)
