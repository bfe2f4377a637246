"""Malformed requests by the thousand over HTTP and gRPC: each is answered or refused in words, none a fault.

Sound requests are answered right after them. MALFORMED says how many of each (a few hundred unless told); a
failure names the seed that makes it again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.models import IDENTITY_OF_TEXTS, SUM_AND_DIFFERENCE, identity, save
from tests.serve.running import client_of, running

COUNT = int(os.environ.get("MALFORMED", "300"))
MANY = 10_000
STATUSES = {200, 400, 404, 405, 413, 415, 501, 503}
CODES = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "UNAVAILABLE"}
EXTREMES = [
    b"-1",
    b"0",
    b"1e999",
    b"99999999999999999999",
    b"1.5",
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b"NaN",
    b'"\\ud800"',
]
TOKENS = [
    b"inputs",
    b"data",
    b"shape",
    b"datatype",
    b"FP32",
    b"BYTES",
    b"BOOL",
    b"binary_data_size",
    b"parameters",
]
LOAD = b'{"parameters": {"config": "{}", "file:1/model.onnx": "QUJD"}}'
SERVICE = "/inference.GRPCInferenceService/"


def mutated(text: bytes, random_: random.Random) -> bytes:
    """The text with one to four faults."""
    body = bytearray(text)
    for _ in range(random_.randint(1, 4)):
        place = random_.randrange(len(body) + 1)
        length = random_.choice([1, 2, 4, 16])
        kind = random_.randrange(7)
        if kind == 0 and body:
            body[place % len(body)] = random_.randrange(256)
        elif kind == 1:
            body[place:place] = random_.randbytes(length)
        elif kind == 2:
            del body[place : place + length]
        elif kind == 3:
            body[place:place] = body[place : place + length * 4]
        elif kind == 4:
            body[place : place + 1] = random_.choice(EXTREMES)
        elif kind == 5:
            old, new = random_.choice(TOKENS), random_.choice(TOKENS)
            body = bytearray(body.replace(old, new, 1))
        else:
            del body[place:]
    return bytes(body)


def http_seeds() -> list[tuple[str, bytes, int | None]]:
    """Sound requests: path, body, and length of the JSON before tensors."""
    row = np.arange(16, dtype=np.int32)
    tensors = [{"name": f"INPUT{i}", "datatype": "INT32", "shape": [1, 16]} for i in (0, 1)]
    plain = json.dumps({"id": "1", "inputs": [{**t, "data": row.tolist()} for t in tensors]}).encode()
    sized = [{**tensor, "parameters": {"binary_data_size": 64}} for tensor in tensors]
    wanted = [{"name": "OUTPUT0", "parameters": {"classification": 2}}]
    header = json.dumps({"inputs": sized, "outputs": wanted}).encode()
    known = json.dumps({"inputs": [{**t, "data": row.tolist()} for t in tensors]}).encode()
    known_header = json.dumps({"inputs": sized, "parameters": {"binary_data_output": True}}).encode()
    texts = {"name": "INPUT0", "datatype": "BYTES", "shape": [1, 2], "parameters": {"binary_data_size": 11}}
    text_header = json.dumps({"inputs": [texts]}).encode()
    return [
        ("/v2/models/simple/infer", plain, None),
        ("/v2/models/simple/infer", known, None),
        ("/v2/models/simple/infer", known_header + row.tobytes() * 2, len(known_header)),
        ("/v2/models/simple/infer", header + row.tobytes() * 2, len(header)),
        ("/v2/models/texts/infer", text_header + b"\1\0\0\0a\2\0\0\0bc", len(text_header)),
        ("/v2/models/half/infer", row.tobytes(), 0),
        ("/v2/repository/index", b'{"ready": true}', None),
        (
            "/v2/repository/models/none/load",
            b'{"parameters": {"config": "{}", "file:1/model.onnx": "QUJD"}}',
            None,
        ),
        ("/v2/logging", b'{"log_verbose_level": 0, "log_info": true}', None),
        ("/v2/trace/setting", b'{"trace_level": ["OFF"], "trace_rate": "1000"}', None),
        ("/v2/systemsharedmemory/region/a/register", b'{"key": "/x", "offset": 0, "byte_size": 64}', None),
        ("/v2/models/texts/generate", b'{"text_input": "a", "parameters": {"b": 1}}', None),
        ("/score/simple", b'{"input_data": {"INPUT0": [[1, 2]], "INPUT1": [[1, 2]]}}', None),
        ("/score/half", b'{"input_data": {"columns": ["a"], "data": [[1]]}}', None),
    ]


def rpc_seeds() -> list[tuple[str, bytes]]:
    """Sound messages by call."""
    infer = pb.ModelInferRequest(model_name="simple", id="1")
    for name in ("INPUT0", "INPUT1"):
        infer.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        infer.raw_input_contents.append(bytes(64))
    known = pb.ModelInferRequest.FromString(infer.SerializeToString())
    known.id = ""
    told = pb.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        tensor = told.inputs.add(name=name, datatype="INT32", shape=[1, 2])
        tensor.contents.int_contents.extend([1, 2])
    load = pb.RepositoryModelLoadRequest(model_name="none")
    load.parameters["config"].string_param = "{}"
    load.parameters["file:1/model.onnx"].bytes_param = b"abc"
    return [
        ("ModelInfer", infer.SerializeToString()),
        ("ModelInfer", known.SerializeToString()),
        ("ModelInfer", told.SerializeToString()),
        ("ModelMetadata", pb.ModelMetadataRequest(name="simple", version="1").SerializeToString()),
        ("ModelConfig", pb.ModelConfigRequest(name="simple").SerializeToString()),
        ("ModelStatistics", pb.ModelStatisticsRequest(name="simple").SerializeToString()),
        ("RepositoryModelLoad", load.SerializeToString()),
        ("SystemSharedMemoryRegister", b"\n\1a\x12\2/x \1"),
        ("TraceSetting", b"\n\x10\n\x0btrace_level\x12\1"),
        ("LogSettings", b"\n\x0e\n\x08log_info\x12\2\x08\1"),
    ]


@pytest.fixture(params=[False, True], ids=["any", "quick"])
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all models count as quick, however busy the machine is: known requests are not parsed then."""
    if request.param:
        monkeypatch.setattr("sardonyx.serve.model.QUICK_NS", 10**12)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save(SUM_AND_DIFFERENCE, tmp_path / "simple.onnx")
    save(IDENTITY_OF_TEXTS, tmp_path / "texts.onnx")
    save(identity("float16"), tmp_path / "half.onnx")
    return tmp_path


def served(models: Path, use: Callable[[Server], Any]) -> None:
    async def run() -> None:
        options = ServeOptions(max_body_bytes=1 << 16, allow_client_shm=True)
        async with running(models, options) as server:
            await use(server)
            await answers_right(server)

    asyncio.run(run())


async def answers_right(server: Server) -> None:
    """Both lanes of both protocols add and subtract."""
    row = np.arange(16, dtype=np.int32)
    right = [(row * 2).tolist(), [0] * 16]
    infer = [(path, text, split) for path, text, split in http_seeds() if path.endswith("simple/infer")]
    async with client_of(server) as client:
        for path, text, split in infer[:2]:
            assert split is None
            outputs = (await client.post(path, content=text)).json()["outputs"]
            assert [output["data"] for output in outputs] == right
        path, text, split = infer[2]
        answer = await client.post(
            path, content=text, headers={"Inference-Header-Content-Length": str(split)}
        )
        assert np.frombuffer(answer.content[-128:], np.int32).reshape(2, 16).tolist() == right
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for name, text in rpc_seeds()[:2]:
            said = pb.ModelInferResponse.FromString(await channel.unary_unary(SERVICE + name)(text))
            assert [list(np.frombuffer(raw, np.int32)) for raw in said.raw_output_contents] == [[0] * 16] * 2


async def send_http(server: Server, first: int, count: int) -> None:
    seeds = http_seeds()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
    for number in range(first - len(seeds), first + count):
        random_ = random.Random(number)
        sound = number < first  # so that requests like it are known when others come
        path, text, split = seeds[number - first] if sound else random_.choice(seeds)
        body = text if sound else mutated(text, random_)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        if split is not None:
            told = split if sound or random_.random() < 0.7 else random_.randrange(len(body) + 3)
            head += f"Inference-Header-Content-Length: {told}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        status, answer = await asyncio.wait_for(read_answer(reader), 30)
        assert status in STATUSES, (number, status, path, body, answer)
        if status >= 400:
            assert json.loads(answer)["error"], (number, answer)
    writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)


async def send_rpc(server: Server, first: int, count: int) -> None:
    seeds = rpc_seeds()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for number in range(first - len(seeds), first + count):
            random_ = random.Random(number)
            sound = number < first
            name, text = seeds[number - first] if sound else random_.choice(seeds)
            message = text if sound else mutated(text, random_)
            call: Any = channel.unary_unary(SERVICE + name)
            code = "OK"
            try:
                await call(message, timeout=30)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            assert code in CODES, (number, code, name, message)


@pytest.mark.usefixtures("quick")
def test_malformed_http(models: Path) -> None:
    served(models, lambda server: send_http(server, 0, COUNT))


@pytest.mark.usefixtures("quick")
def test_malformed_grpc(models: Path) -> None:
    served(models, lambda server: send_rpc(server, 0, COUNT))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_many_malformed(models: Path) -> None:
    async def use(server: Server) -> None:
        await send_http(server, 0, MANY)
        await send_rpc(server, 0, MANY)

    served(models, use)
