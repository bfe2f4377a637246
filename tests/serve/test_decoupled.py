"""Models with any number of answers to a request: events of HTTP, streams of gRPC, and what ends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import numpy as np
import pytest

from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.decoupled import is_decoupled
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.models import identity, save
from tests.serve.running import client_of, running

COUNTING = """
import time
from pathlib import Path

def run(text, count):
    try:
        if count[0] < 0:
            while True:
                time.sleep(0.01)
                yield {"said": [""]}
        for number in range(int(count[0])):
            if number == 1000:
                raise ValueError("enough")
            yield {"said": [f"{text[0].decode()} {number}"]}
            if number >= 500:
                time.sleep(0.001)
    finally:
        Path(__file__).with_name("ended").touch()
"""
CONFIG = """
model_transaction_policy { decoupled: true }
input [
  { name: "text" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "count" data_type: TYPE_INT32 dims: [ 1 ] }
]
output [ { name: "said" data_type: TYPE_STRING dims: [ 1 ] } ]
"""
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
URL = "/v2/models/counting"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models/counting/1").mkdir(parents=True)
    (tmp_path / "models/counting/1/model.py").write_text(COUNTING)
    (tmp_path / "models/counting/config.pbtxt").write_text(CONFIG)
    save(identity("float"), tmp_path / "models/same.onnx")
    return tmp_path / "models"


Use = Callable[[Server, httpx.AsyncClient], Coroutine[Any, Any, Any]]


def served(models: Path, use: Use, **options: Any) -> Any:
    async def run() -> Any:
        async with running(models, ServeOptions(**options)) as server, client_of(server) as client:
            return await asyncio.wait_for(use(server, client), 60)

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


def body(count: int, **more: Any) -> dict[str, Any]:
    return {"text_input": "a", "count": count, **more}


def events(text: str) -> list[Any]:
    parts = text.split("\n\n")
    assert parts.pop() == ""
    assert all(part.startswith("data: ") for part in parts)
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def test_a_configuration_says_so() -> None:
    assert is_decoupled({"model_transaction_policy": {"decoupled": True}})
    assert not is_decoupled({"model_transaction_policy": {}})
    assert not is_decoupled({})


def test_events_come_one_by_one(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        async with client.stream("POST", f"{URL}/generate_stream", json=body(3, id="7")) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            found = events((await reply.aread()).decode())
        assert [row["text_output"] for row in found] == ["a 0", "a 1", "a 2"]
        assert {(row["model_name"], row["id"]) for row in found} == {("counting", "7")}
        assert events((await client.post(f"{URL}/generate_stream", json=body(0))).text) == []
        statistics = server.core.statistics("counting")["model_stats"][0]
        assert statistics["inference_stats"]["success"]["count"] == 2

    served(models, use)


def test_an_error_is_a_status_before_the_first_answer_and_an_event_after(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        wrong = await client.post(f"{URL}/generate_stream", json={"text_input": "a", "count": "many"})
        assert wrong.status_code == 400
        assert (await client.post("/v2/models/none/generate_stream", json={})).status_code == 404
        found = events((await client.post(f"{URL}/generate_stream", json=body(2000))).text)
        assert len(found) == 1001
        assert found[-1] == {"error": "model 'counting' failed: ValueError: enough"}

    served(models, use)


def test_what_wants_one_answer_says_where_there_are_more(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        assert (await client.post(f"{URL}/generate", json=body(1))).json()["text_output"] == "a 0"
        for count in (0, 2):
            reply = await client.post(f"{URL}/generate", json=body(count))
            assert reply.status_code == 400
            assert "generate_stream" in reply.json()["error"]
        tensors = [
            {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]},
            {"name": "count", "datatype": "INT32", "shape": [1], "data": [1]},
        ]
        reply = await client.post(f"{URL}/infer", json={"inputs": tensors})
        assert reply.status_code == 501
        assert "decoupled" in reply.json()["error"]
        assert (await client.get(f"{URL}/config")).json()["model_transaction_policy"] == {"decoupled": True}
        same = {"x": [[1.0, 2.0]]}
        (row,) = events((await client.post("/v2/models/same/generate_stream", json=same)).text)
        assert row["y"] == [1.0, 2.0]

    served(models, use)


def message(count: int, **parameters: bool) -> Any:
    request = pb.ModelInferRequest(model_name="counting", id=str(count))
    request.inputs.add(name="text", datatype="BYTES", shape=[1])
    request.inputs.add(name="count", datatype="INT32", shape=[1])
    request.raw_input_contents.extend([b"\1\0\0\0a", np.int32(count).tobytes()])
    for key, value in parameters.items():
        request.parameters[key].bool_param = value
    return request


def plain(number: int) -> Any:
    request = pb.ModelInferRequest(model_name="same", id=str(number))
    request.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.append(np.float32(number).tobytes())
    return request


def streaming(channel: Any) -> Any:
    return channel.stream_stream(
        STREAM, pb.ModelInferRequest.SerializeToString, pb.ModelStreamInferResponse.FromString
    )()


def test_a_stream_of_grpc_carries_all_answers_and_says_when_they_end(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = streaming(channel)
            for request in (
                message(3),
                plain(8),
                message(2, triton_enable_empty_final_response=True),
                plain(9),
            ):
                await call.write(request)
            await call.done_writing()
            answers = [answer.infer_response async for answer in call]
        by_id: dict[str, list[Any]] = {}
        for answer in answers:
            by_id.setdefault(answer.id, []).append(answer)
        assert [bytes(answer.raw_output_contents[0][4:]) for answer in by_id["3"]] == [b"a 0", b"a 1", b"a 2"]
        final = "triton_final_response"
        assert [answer.parameters[final].bool_param for answer in by_id["3"]] == [False] * 3
        assert [answer.parameters[final].bool_param for answer in by_id["2"]] == [False, False, True]
        assert len(by_id["2"][2].outputs) == 0
        assert [answer.parameters[final].bool_param for answer in by_id["8"] + by_id["9"]] == [True, True]

    served(models, use)


def test_ordinary_messages_of_a_stream_do_not_wait_for_those_with_many_answers(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        ended = models / "counting/1/ended"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = streaming(channel)
            await call.write(message(-1))
            await until(lambda: server.core.model("counting").depth == 1)
            for number in range(8):
                await call.write(plain(number))
            await call.write(pb.ModelInferRequest(model_name="none", id="none"))
            found = []
            while len(found) < 9:
                answer = await call.read()
                found += [answer.infer_response.id] if answer.infer_response.id != "-1" else []
            assert found == [*map(str, range(8)), "none"]
            assert not ended.exists()
            call.cancel()
        await until(ended.exists)

    served(models, use)


def test_an_error_in_a_stream_ends_its_request_alone(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = streaming(channel)
            await call.write(message(2000))
            await call.write(pb.ModelInferRequest(model_name="none"))
            await call.write(plain(1))
            await call.done_writing()
            answers = [answer async for answer in call]
        errors = [answer.error_message for answer in answers if answer.error_message]
        assert sorted(errors)[1].endswith("ValueError: enough")
        assert "'none' is not found" in errors[0] + errors[1]
        assert sum(answer.infer_response.id == "1" for answer in answers) == 1

    served(models, use)


@pytest.mark.parametrize("over", ["http", "grpc"])
def test_who_leaves_ends_the_model(models: Path, over: str) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        model = server.core.model("counting")
        if over == "http":
            async with client.stream("POST", f"{URL}/generate_stream", json=body(999)) as reply:
                await anext(reply.aiter_lines())
                await until(lambda: model.depth == 1)
        else:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
                call = streaming(channel)
                await call.write(message(999))
                await call.read()
                call.cancel()
        await until(lambda: model.depth == 0)
        await until((models / "counting/1/ended").exists)
        assert server.core.statistics("counting")["model_stats"][0]["inference_stats"]["fail"]["count"] == 1

    served(models, use)


def test_too_many_are_sent_away_and_closing_ends_what_runs(models: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        model = server.core.model("counting")
        async with client.stream("POST", f"{URL}/generate_stream", json=body(999)) as reply:
            lines = reply.aiter_lines()
            await anext(lines)
            late = await client.post(f"{URL}/generate_stream", json=body(1))
            assert (late.status_code, late.headers["retry-after"]) == (503, "1")
            assert (await client.post("/v2/repository/models/counting/unload", json={})).status_code == 200
            assert "error" in [line async for line in lines if line][-1]
        await until(lambda: model.depth == 0)

    served(models, use, queue_size=1, drain_s=0.05)


def test_a_file_of_onnx_has_one_answer(models: Path) -> None:
    save(identity("float"), models / "one/1/model.onnx")
    (models / "one/config.pbtxt").write_text("model_transaction_policy { decoupled: true }")

    async def use(server: Server, client: httpx.AsyncClient) -> None:
        (row,) = [row for row in server.core.index() if row["name"] == "one"]
        assert "for steps in Python" in row["reason"]

    served(models, use)
