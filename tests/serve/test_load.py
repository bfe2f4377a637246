"""Load on a server that is a process of its own: too much of it, much of it for long, and reloads.

SUSTAINED says for how many seconds the load of four fifths of the measured maximum lasts.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sardonyx.base.knobs import SHORT_WEIGHTS, STRASSEN
from tests.serve.models import identity, save
from tests.serve.process import Served, served

SUSTAINED_S = float(os.environ.get("SUSTAINED", "20"))
OVERLOAD_S = 4.0
RUN_S = 0.02
DEADLINE_S = 0.5
MEBIBYTE = 1 << 20
SLOW = f"""
import time

def run(x):
    time.sleep({RUN_S})
    return {{"y": x}}
"""
SLOW_CONFIG = """
max_batch_size: 1
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""


def request(model: str, **parameters: int) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}
    body = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Seen:
    """What clients saw: how many answers of which status, and the seconds that those of 200 took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    without_retry: int = 0


async def ask_on(
    server: Served, text: bytes, seen: Seen, times: asyncio.Queue[float] | None, end: float
) -> None:
    """One connection that asks again and again until `end`, each time when `times` says (None: at once)."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    while time.monotonic() < end:
        if times is not None:
            at = await times.get()
            await asyncio.sleep(at - time.monotonic())
        began = time.monotonic()
        writer.write(text)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        status = int(head.split(b" ")[1])
        seen.statuses[status] += 1
        if status == 200:
            seen.took.append(time.monotonic() - began)
        elif status in (429, 503) and b"retry-after: " not in head:
            seen.without_retry += 1
    writer.close()


def load(server: Served, text: bytes, seconds: float, connections: int, rate: float = 0.0) -> Seen:
    """So many requests a second over connections that each wait for their answer; 0 = as many as go."""

    async def run() -> Seen:
        seen, times = Seen(), asyncio.Queue[float]() if rate else None
        began = time.monotonic()
        if times is not None:
            for number in range(int(rate * seconds) + connections):
                times.put_nowait(began + number / rate)
        end = began + seconds
        await asyncio.gather(*(ask_on(server, text, seen, times, end) for _ in range(connections)))
        return seen

    return asyncio.run(run())


@pytest.mark.slow
@pytest.mark.alone
def test_three_times_too_much_is_shed_and_the_server_recovers(tmp_path: Path) -> None:
    (tmp_path / "models/slow/1").mkdir(parents=True)
    (tmp_path / "models/slow/1/model.py").write_text(SLOW)
    (tmp_path / "models/slow/config.pbtxt").write_text(SLOW_CONFIG)
    options = (tmp_path / "models", "--home", tmp_path / "home", "--queue-size", "10")
    with served(*options, log=tmp_path / "log") as server:
        text = request("slow", timeout=int(DEADLINE_S * 1e6))
        alone = load(server, text, 0.5, 1)
        assert set(alone.statuses) == {200}
        most = alone.statuses[200] / 0.5
        seen = load(server, text, OVERLOAD_S, 60, rate=3 * most)
        assert set(seen.statuses) <= {200, 503, 504}
        assert seen.statuses[503] > seen.statuses[200]
        assert seen.without_retry == 0
        assert seen.statuses[200] > 0.6 * most * OVERLOAD_S
        assert np.quantile(seen.took, 0.99) < DEADLINE_S
        after = load(server, text, 0.5, 1)
        assert set(after.statuses) == {200}
        assert after.statuses[200] > 0.6 * most * 0.5


def check_sustained(server: Served, text: bytes, seconds: float) -> None:
    """At four fifths of the maximum nothing fails and memory stays."""
    most = load(server, text, 2.0, 8).statuses[200] / 2.0
    load(server, text, 2.0, 8, rate=0.8 * most)
    before = server.resident_bytes()
    seen = load(server, text, seconds, 8, rate=0.8 * most)
    grown = server.resident_bytes() - before
    print(
        f"{seen.statuses.total()} requests in {seconds:.0f} s, {0.8 * most:.0f} a second wanted; memory "
        f"{before / MEBIBYTE:.1f} MiB and {grown / MEBIBYTE:+.2f}; median {np.median(seen.took) * 1e3:.2f} ms"
    )
    assert set(seen.statuses) == {200}
    assert seen.statuses[200] > 0.5 * most * seconds
    assert grown < 4 * MEBIBYTE


@pytest.mark.slow
@pytest.mark.alone
def test_four_fifths_of_the_maximum_for_long(tmp_path: Path) -> None:
    save(identity("float"), tmp_path / "models/same.onnx")
    with served(tmp_path / "models", "--home", tmp_path / "home", log=tmp_path / "log") as server:
        check_sustained(server, request("same"), SUSTAINED_S)
    assert "ERROR" not in (tmp_path / "log").read_text()


def weighty(path: Path, mebibytes: int, seed: int) -> Path:
    """A model with so many MiB of weights."""
    rows = mebibytes * MEBIBYTE // 4 // 1024
    weights = np.random.default_rng(seed).standard_normal((1024, rows), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node("ReduceMax", ["z"], ["y"], keepdims=0),
        ],
        "weighty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1024])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.mark.slow
def test_memory_comes_back_after_reloads_and_unloading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loads bring the compiler, which stays; from then on only what is served takes memory.

    That is the weights once: other forms of them, for products of few rows and of many, are left out.
    """
    for form in (STRASSEN, SHORT_WEIGHTS):
        monkeypatch.setenv(form.env, "off")
    mebibytes, models = 48, tmp_path / "models"
    weighty(models / "large.onnx", mebibytes, 0)
    with (
        served(models, "--home", tmp_path / "home", log=tmp_path / "log") as server,
        server.client() as client,
    ):

        def asked(act: str) -> float:
            reply = client.post(f"/v2/repository/models/large/{act}", json={})
            assert reply.status_code == 200, reply.text
            return server.resident_bytes() / MEBIBYTE

        asked("unload")
        weighty(models / "large.onnx", mebibytes, 7)
        asked("load")
        empty, held = asked("unload"), []
        for number in range(1, 7):
            weighty(models / "large.onnx", mebibytes, number)
            held.append(asked("load") - empty)
        left = asked("unload") - empty
    print("MiB held:", [f"{size:.1f}" for size in held], f"left: {left:.1f}")
    assert mebibytes / 2 < min(held) <= max(held) < mebibytes * 1.25
    assert left < 8
