"""The trace file: which requests are in it, as Triton's trace extension has it, and how it is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from sardonyx.serve.settings import TraceSettings
from sardonyx.serve.tracing import TraceFile
from tests.serve.models import identity, save
from tests.serve.running import client_of, running

Use = Callable[[Server, httpx.AsyncClient], Coroutine[Any, Any, Any]]
ROW = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}


def traced(folder: Path, use: Use) -> list[dict[str, Any]]:
    """What is in the trace file after a use of a server."""
    save(identity("float"), folder / "models/same.onnx")
    save(identity("float"), folder / "models/other.onnx")

    async def run() -> None:
        options = ServeOptions(trace_file=str(folder / "trace.json"))
        async with running(folder / "models", options) as server, client_of(server) as client:
            await asyncio.wait_for(use(server, client), 60)

    asyncio.run(run())
    path = folder / "trace.json"
    return json.loads(path.read_text()) if path.exists() else []


async def ask(client: httpx.AsyncClient, count: int, model: str = "same", **more: Any) -> None:
    for _ in range(count):
        await client.post(f"/v2/models/{model}/infer", json={"inputs": [ROW], **more})


async def set_to(client: httpx.AsyncClient, path: str = "/v2/trace/setting", **settings: Any) -> None:
    reply = await client.post(path, json=settings)
    assert reply.status_code == 200, reply.text


def test_nothing_is_traced_unless_it_is_asked_for(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        assert (await client.get("/v2/trace/setting")).json()["trace_file"].endswith("trace.json")
        await ask(client, 3)

    assert traced(tmp_path, use) == []


def test_times_are_written_in_their_order(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(client, trace_level=["TIMESTAMPS"], trace_rate="1")
        await ask(client, 2, id="seven")
        await client.post("/v2/models/same/infer", json={"inputs": []})

    found = traced(tmp_path, use)
    heads = [entry for entry in found if "model_name" in entry]
    assert [head["id"] for head in heads] == [1, 2, 3]
    assert heads[0] == {"id": 1, "model_name": "same", "model_version": "1", "request_id": "seven"}
    first = [entry["timestamps"][0] for entry in found if entry["id"] == 1 and "timestamps" in entry]
    names = [row["name"] for row in first]
    assert names[0] == "REQUEST_START" and names[-1] == "REQUEST_END" and "COMPUTE_START" in names
    assert [row["ns"] for row in first] == sorted(row["ns"] for row in first)
    assert len([entry for entry in found if entry["id"] == 3]) == 3


def test_tensors_are_written_too(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(client, trace_level=["TENSORS"], trace_rate="1")
        await ask(client, 1)

    given, made = [entry for entry in traced(tmp_path, use) if "activity" in entry]
    assert given["activity"] == "TENSOR_QUEUE_INPUT"
    assert given["tensor"] == {"name": "x", "data": "1.0,2.0", "shape": "1,2", "dtype": "FP32"}
    assert (made["activity"], made["tensor"]["name"]) == ("TENSOR_BACKEND_OUTPUT", "y")


def test_rate_and_count_and_models(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(
            client,
            "/v2/models/same/trace/setting",
            trace_level=["TIMESTAMPS"],
            trace_rate="3",
            trace_count="2",
        )
        await ask(client, 12)
        await ask(client, 5, "other")
        assert (await client.get("/v2/models/same/trace/setting")).json()["trace_count"] == "0"
        assert (await client.get("/v2/trace/setting")).json()["trace_count"] == "-1"

    heads = [entry for entry in traced(tmp_path, use) if "model_name" in entry]
    assert [head["model_name"] for head in heads] == ["same", "same"]


def test_the_file_is_whole_at_any_time(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(client, trace_level=["TIMESTAMPS"], trace_rate="1")
        for _ in range(3):
            await ask(client, 13)
            assert json.loads((tmp_path / "trace.json").read_text())

    found = traced(tmp_path, use)
    assert len([entry for entry in found if "model_name" in entry]) == 39


def test_files_of_so_many_traces(tmp_path: Path) -> None:
    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(client, trace_level=["TIMESTAMPS"], trace_rate="1", log_frequency="2")
        await ask(client, 5)

    left = [entry["id"] for entry in traced(tmp_path, use) if "model_name" in entry]
    assert left == [5]
    for number, wanted in enumerate(([1, 2], [3, 4])):
        entries = json.loads((tmp_path / f"trace.json.{number}").read_text())
        assert [entry["id"] for entry in entries if "model_name" in entry] == wanted


def test_a_file_that_cannot_be_written_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "trace.json").mkdir()

    async def use(server: Server, client: httpx.AsyncClient) -> None:
        await set_to(client, trace_level=["TIMESTAMPS"], trace_rate="1")
        await ask(client, 30)
        assert (await client.get("/v2/models/same/stats")).json()["model_stats"][0]["inference_count"] == 30

    save(identity("float"), tmp_path / "models/same.onnx")

    async def run() -> None:
        options = ServeOptions(trace_file=str(tmp_path / "trace.json"))
        async with running(tmp_path / "models", options) as server, client_of(server) as client:
            await use(server, client)

    asyncio.run(run())
    assert caplog.text.count("traces cannot be written") == 1


def test_without_a_file_it_is_said_that_nothing_is_written(caplog: pytest.LogCaptureFixture) -> None:
    TraceSettings().change({"trace_level": ["TIMESTAMPS"]})
    assert "--trace-file" in caplog.text
    assert TraceFile(TraceSettings("t"), Path("t")) is not None
