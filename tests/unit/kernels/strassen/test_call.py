"""Models with products by seven multiplications: compiled once for every size, and reported as such."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.kernels.strassen.call import strassen_call
from tests.runnable import runnable_targets
from tests.tolerance import difference_of_seven

MODEL = """<ir_version: 8, opset_import: ["": 20]>
net (float[N, T, 96] x, float[N, T, 97] r) => (float[N, T, 97] y, float[N, T, 160] z) {
    a = MatMul(x, w0)
    b = Add(a, b0)
    c = Gelu(b)
    z = Identity(c)
    d = MatMul(c, w1)
    e = Add(d, b1)
    y = Add(e, r)
}"""
RNG = np.random.default_rng(3)
TENSORS = {
    "w0": RNG.standard_normal((96, 160)).astype(np.float32),
    "b0": RNG.standard_normal(160).astype(np.float32),
    "w1": RNG.standard_normal((160, 97)).astype(np.float32),
    "b1": RNG.standard_normal(97).astype(np.float32),
}
SIZES = ((1, 1), (1, 2), (3, 5), (2, 65), (1, 197), (7, 0))


def session(strassen: str, target: str = "", precision: str = "fp32", threads: int = 1) -> Any:
    proto = onnx.parser.parse_model(MODEL)
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in TENSORS.items())
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    entries = {"strassen": strassen, "target": target, "precision": precision}
    for name, value in entries.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


def plans(made: Any) -> list[str]:
    return [note.plan for note in made.report.kernels if note.kind == "gemm"]


def feeds(n: int, t: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal((n, t, size)).astype(np.float32) for name, size in (("x", 96), ("r", 97))
    }


@pytest.mark.parametrize("target", [t.name for t in runnable_targets()])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_program_for_every_size(target: str, threads: int) -> None:
    made = session("on", target, threads=threads)
    assert ["strassen from 2 rows on" in plan for plan in plans(made)] == [True, True]
    times = 2 if "twice from 4" in plans(made)[-1] else 1
    assert strassen_call.__doc__
    for n, t in SIZES:
        fed = feeds(n, t)
        y, z = made.run(None, fed)
        exact = z.astype(np.float64) @ TENSORS["w1"] + TENSORS["b1"] + fed["r"]
        assert difference_of_seven(y, exact, times) is None, (n, t)
        (direct,) = session("off", target).run(["z"], fed)
        assert np.abs(z - direct).max(initial=0) <= 1e-5 * np.abs(direct).max(initial=0), (n, t)


def test_the_report_names_what_is_multiplied_as_it_is() -> None:
    for made in (session("off"), session("auto"), session("on", precision="strict")):
        assert plans(made)
        assert not any("strassen" in plan for plan in plans(made))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_does_not_touch_the_others(value: float) -> None:
    made, fed = session("on"), feeds(5, 40)
    clean = made.run(None, fed)
    fed["x"][2, 17, 5] = value
    for got, before in zip(made.run(None, fed), clean, strict=True):
        others = np.arange(5) != 2
        assert np.abs(got[others] - before[others]).max() <= 1e-5 * np.abs(before).max()
        assert not np.isfinite(got[2, 17]).all()
        assert np.isfinite(got[2, :17]).all()


def test_batches_of_weights_and_known_few_rows_are_multiplied_as_they_are() -> None:
    w = RNG.standard_normal((2, 96, 160)).astype(np.float32)
    for shape, weights in (("2, 8, 96", w), ("1, 96", w[0])):
        net = f"net (float[{shape}] x) => (float[] y) {{ y = MatMul(x, w) }}"
        proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {net}')
        proto.graph.initializer.append(numpy_helper.from_array(weights, "w"))
        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.strassen", "on")
        made = sardonyx.InferenceSession(proto.SerializeToString(), options)
        assert plans(made)
        assert not any("strassen" in plan for plan in plans(made))


def test_a_run_that_another_keeps_alone_gives_the_same_bits() -> None:
    text = "net (float[M, 512] x) => (float[M, 512] y) { y = MatMul(x, w) }"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
    weights = RNG.standard_normal((512, 512)).astype(np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = 2
    made, x = sardonyx.InferenceSession(proto.SerializeToString(), options), feeds(1, 80)["x"][0]
    fed = {"x": np.tile(x, (1, 6))[:, :512]}
    together = made.run(None, fed)[0]
    with made._program.team._crew.lock:
        alone = made.run(None, fed)[0]
    assert np.array_equal(together, alone), "columns are few for each of two threads, not for one"
