"""The target without a machine: sessions that run in numpy behave as native ones do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx

HEAD = '<ir_version: 10, opset_import: ["" : 21]> '


def session(body: str, **entries: str) -> Any:
    model = onnx.parser.parse_model(HEAD + body).SerializeToString()
    options = sardonyx.SessionOptions()
    for name, value in {"target": "reference", **entries}.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(model, options)


def test_every_size_runs_in_one_program() -> None:
    softmax = session("g (float[N,M] x) => (float[N,M] y) { y = Softmax(x) }")
    for shape in ((2, 3), (5, 1), (0, 4)):
        (y,) = softmax.run(None, {"x": np.zeros(shape, np.float32)})
        assert np.array_equal(y, np.full(shape, 1 / max(shape[1], 1), np.float32))
    assert "compiles" not in softmax.report.counters


def test_a_rank_that_depends_on_content_is_decided_by_each_feed() -> None:
    shaped = session("g (float[N] x, int64[R] s) => (float y) { y = Reshape(x, s) }")
    x = np.arange(6, dtype=np.float32)
    for shape in ([2, 3], [6], [1, 2, 3]):
        (y,) = shaped.run(None, {"x": x, "s": np.array(shape)})
        assert y.shape == tuple(shape)


def test_sizes_that_contradict_each_other_are_named() -> None:
    product = session("g (float[N,K] x, float[L,M] w) => (float[N,M] y) { y = MatMul(x, w) }")
    with pytest.raises(Exception, match="inner sizes of a matrix product differ"):
        product.run(None, {"x": np.zeros((2, 3), np.float32), "w": np.zeros((1, 5), np.float32)})


def test_results_are_the_callers_own() -> None:
    same = session("g (float[N] x) => (float[N] y) { y = Identity(x) }")
    x = np.ones(3, np.float32)
    (y,) = same.run(None, {"x": x})
    y[0] = 7
    assert x[0] == 1


def test_the_report_says_what_runs_in_numpy_everywhere() -> None:
    body = "g (string[N] x) => (string[N] y) { y = StringConcat(x, x) }"
    assert [note.op for note in session(body).report.fallbacks] == ["text_join"]
    with pytest.raises(Exception, match="does not run native"):
        session(body, fallback="error")


def test_neither_llvm_nor_machine_code_is_loaded(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(HEAD + "g (float[N] x) => (float[N] y) { y = Exp(x) }")
    onnx.save(model, tmp_path / "m.onnx")
    script = (
        "import sys, numpy, sardonyx\n"
        f"s = sardonyx.InferenceSession({str(tmp_path / 'm.onnx')!r})\n"
        "assert s.run(None, {'x': numpy.zeros(2, numpy.float32)})[0].tolist() == [1, 1]\n"
        "assert not any(name.split('.')[0] == 'llvmlite' for name in sys.modules)\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "SARDONYX_TARGET": "reference", "SARDONYX_CACHE": "off"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
