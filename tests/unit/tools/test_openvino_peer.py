"""The adapter asks OpenVINO for the run's precision and so many threads, and answers like onnxruntime."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.base.knobs import PRECISION
from sardonyx.tools import bench_worker

asked: list[Any] = []


class Core:
    def compile_model(self, path: str, device: str, settings: dict[str, Any]) -> Any:
        asked.append((path, device, settings))
        infer = lambda feeds: {"second": feeds["x"] * 3, "first": feeds["x"] * 2}  # noqa: E731
        return SimpleNamespace(
            outputs=["first", "second"], create_infer_request=lambda: SimpleNamespace(infer=infer)
        )


@pytest.fixture(params=["fp32", "strict", "bf16"])
def precision(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    monkeypatch.setenv(PRECISION.env, request.param)
    return str(request.param)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, precision: str) -> bench_worker.Worker:
    del precision
    engine = ModuleType("openvino")
    vars(engine).update(__version__="2026.4.0-123-releases", Core=Core)
    monkeypatch.setitem(sys.modules, "openvino", engine)
    monkeypatch.delitem(sys.modules, bench_worker.ADAPTERS["openvino"], raising=False)
    asked.clear()
    return bench_worker.Worker("openvino")


def test_a_precision_with_so_many_threads(worker: bench_worker.Worker, precision: str) -> None:
    options = worker.engine.SessionOptions()
    session = worker.make_session("net.onnx", options)
    options.intra_op_num_threads = 2
    worker.make_session("net.onnx", options)
    base = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "PERFORMANCE_HINT": "LATENCY",
    }
    assert asked == [
        ("net.onnx", "CPU", base),
        ("net.onnx", "CPU", {**base, "INFERENCE_NUM_THREADS": 2}),
    ]
    first, second = session.run(None, {"x": np.ones(2)})
    assert first.tolist() == [2, 2] and second.tolist() == [3, 3]
    assert worker.engine.__version__ == "2026.4.0"


def test_it_is_the_module_of_that_engine(worker: bench_worker.Worker) -> None:
    from sardonyx.tools import openvino_peer

    assert importlib.import_module("sardonyx.tools.openvino_peer") is openvino_peer is worker.engine
