"""The package under the name onnxruntime, and the modules that exist for code written for it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from tests.api.engines import LINE, PAIR, model, refused


def test_the_name_is_taken_and_given_back() -> None:
    before = {name: module for name, module in sys.modules.items() if name.startswith("onnxruntime")}
    with sardonyx.as_onnxruntime() as taken:
        import onnxruntime
        from onnxruntime.capi._pybind_state import Fail
        from onnxruntime.capi.onnxruntime_inference_collection import Session
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        assert onnxruntime is taken
        assert onnxruntime.InferenceSession is sardonyx.InferenceSession
        assert issubclass(onnxruntime.InferenceSession, Session)
        assert (Fail.__module__, InvalidArgument.__module__) == (
            "sardonyx.capi.onnxruntime_pybind11_state",
        ) * 2
        assert onnxruntime.capi.onnxruntime_pybind11_state.Fail is Fail
        assert importlib.util.find_spec("onnxruntime") is not None
        assert importlib.metadata.version("onnxruntime") == onnxruntime.__version__ == "1.32.0"
        assert set(sardonyx.__all__) <= set(dir(onnxruntime))
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = onnxruntime.no_such_name
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("onnxruntime.no_such_module")
        assert onnxruntime.backend.run(model("one"), LINE)[0].tolist() == [0, 0.5, 2]
    after = {name: module for name, module in sys.modules.items() if name.startswith("onnxruntime")}
    assert after == before


def test_undo_restores_an_earlier_alias_and_happens_once() -> None:
    outer = sardonyx.as_onnxruntime("1.20.0")
    inner = sardonyx.as_onnxruntime()
    inner.undo()
    inner.undo()
    assert sys.modules["onnxruntime"].__version__ == importlib.metadata.version("onnxruntime") == "1.20.0"
    outer.undo()


def test_a_fresh_process_never_loads_the_peer() -> None:
    code = """
import sys, json, sardonyx
sardonyx.as_onnxruntime()
import onnxruntime as ort, onnxruntime.datasets, numpy as np
session = ort.InferenceSession(ort.datasets.get_example("mul_1.onnx"), providers=["CPUExecutionProvider"])
(y,) = session.run(None, {"X": np.ones((3, 2), np.float32)})
files = [str(getattr(m, "__file__", "")) for n, m in sys.modules.items() if "onnxruntime" in n]
print(json.dumps([y.tolist(), [file for file in files if "sardonyx" not in file]]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
    assert json.loads(done.stdout) == [[[1, 2], [3, 4], [5, 6]], []]


@pytest.mark.parametrize("form", ["script", "module"])
def test_a_program_runs_under_the_alias(form: str, tmp_path: Path) -> None:
    code = "import sys, onnxruntime as o, other; print(o.get_build_info()[:8], sys.argv[1:], other.__name__)"
    (tmp_path / "program.py").write_text(code, encoding="utf-8")
    (tmp_path / "other.py").write_text("", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    program = [str(tmp_path / "program.py")] if form == "script" else ["-m", "program"]
    command = [sys.executable, "-m", "sardonyx.alias", *program, "a", "-b"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.split("\n")[0] == "Sardonyx ['a', '-b'] other", done.stderr


class Batches:
    """Calibration data: four inputs, then None."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self._rest = iter([{"x": rng.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(4)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rest, None)


def quantised(folder: Path) -> bytes:
    """A convolution, quantised by whatever answers to the name onnxruntime."""
    quantization = importlib.import_module("onnxruntime.quantization")
    rng = np.random.default_rng(0)
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[N,3,8,8] x) => (float[N,4,8,8] y) { h = Conv<pads = [1,1,1,1]>(x, w) y = Relu(h) }"""
    proto = onnx.parser.parse_model(text)
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    source, target = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(proto, source)
    quantization.quantize_static(
        str(source), str(target), Batches(), quant_format=quantization.QuantFormat.QDQ
    )
    return target.read_bytes()


def test_quantisation_of_onnxruntime_calibrates_on_sardonyx(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime.quantization")
    peers = onnx.load_from_string(quantised(tmp_path))
    with sardonyx.as_onnxruntime():
        ours = onnx.load_from_string(quantised(tmp_path))
        used = sys.modules["onnxruntime.quantization.calibrate"].onnxruntime
        assert used.InferenceSession is sardonyx.InferenceSession
    assert [node.op_type for node in ours.graph.node] == [node.op_type for node in peers.graph.node]
    for mine, peer in zip(ours.graph.initializer, peers.graph.initializer, strict=True):
        assert mine.name == peer.name
        a, b = onnx.numpy_helper.to_array(mine), onnx.numpy_helper.to_array(peer)
        np.testing.assert_allclose(a, b, rtol=1e-5, err_msg=mine.name)


@pytest.mark.parametrize("name", ["mul_1.onnx", "sigmoid.onnx", "logreg_iris.onnx"])
def test_examples_run(name: str) -> None:
    shape = {"mul_1.onnx": (3, 2), "sigmoid.onnx": (3, 4, 5), "logreg_iris.onnx": (3, 2)}[name]
    path = sardonyx.datasets.get_example(name)
    ours = sardonyx.backend.prepare(path).run(np.ones(shape, np.float32))
    peer = importlib.import_module("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    for a, b in zip(
        ours, peer.run(None, {peer.get_inputs()[0].name: np.ones(shape, np.float32)}), strict=True
    ):
        if isinstance(a, list):
            assert [list(row) for row in a] == [list(row) for row in b]
            a, b = [list(row.values()) for row in a], [list(row.values()) for row in b]
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    with pytest.raises(FileNotFoundError, match="Unable to find example 'none'"):
        sardonyx.datasets.get_example("none")


@pytest.mark.filterwarnings("ignore:onnx.version is deprecated")
def test_backend(engine: ModuleType) -> None:
    backend = importlib.import_module(f"{engine.__name__}.backend")
    inputs = list(PAIR.values())
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA")
    assert backend.is_compatible(None)
    prepared = backend.prepare(model("two"), "CPU", intra_op_num_threads=1, nonsense=3)
    assert backend.prepare(prepared) is prepared
    for source in (model("two"), onnx.load_from_string(model("two")), prepared, prepared._session):
        total, product = backend.run(source, inputs, "CPU", logid="mine")
        np.testing.assert_array_equal(total, PAIR["x"] + PAIR["y"])
        np.testing.assert_array_equal(product, PAIR["x"] * PAIR["y"])
    for act, kind in (
        (lambda: backend.prepare(model("two"), optimized_model_filepath="x.onnx"), "RuntimeError"),
        (lambda: prepared.run(inputs, terminate=True), "RuntimeError"),
        (lambda: prepared.run(PAIR["x"]), "RuntimeError"),
        (lambda: backend.prepare(model("two"), "CUDA"), "RuntimeError"),
    ):
        assert refused(engine, act)[0] == kind
    kinds = importlib.import_module(f"{engine.__name__}.backend.backend").OnnxRuntimeBackend
    assert refused(engine, lambda: kinds.run_node(None, []))[0] == "NotImplementedError"
