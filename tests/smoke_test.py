"""The engine in seconds: a model from text to numbers, at two sizes. The first test to run after a change."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import sardonyx

SOFTMAX_OF_LINEAR = """
<ir_version: 10, opset_import: ["" : 21]>
linear (float[N, 8] x) => (float[N, 3] y) <float[8, 3] w> {
    h = MatMul(x, w)
    r = LeakyRelu<alpha = 0.1>(h)
    y = Softmax<axis = -1>(r)
}
"""


def model(text: str, **initializers: np.ndarray) -> bytes:
    proto = onnx.parser.parse_model(text)
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in initializers.items())
    return proto.SerializeToString()


@pytest.mark.parametrize("rows", [1, 5])
def test_a_small_model_runs(rows: int, rng: np.random.Generator) -> None:
    w = rng.normal(size=(8, 3)).astype(np.float32)
    x = rng.normal(size=(rows, 8)).astype(np.float32)
    session = sardonyx.InferenceSession(model(SOFTMAX_OF_LINEAR, w=w))
    (y,) = session.run(None, {"x": x})
    h = x.astype(np.float64) @ w
    e = np.exp(np.where(h < 0, 0.1 * h, h))
    np.testing.assert_allclose(y, e / e.sum(1, keepdims=True), rtol=1e-5)


def test_inputs_and_outputs_are_described() -> None:
    session = sardonyx.InferenceSession(model(SOFTMAX_OF_LINEAR, w=np.ones((8, 3), np.float32)))
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["N", 8])
    assert (y.name, y.shape) == ("y", ["N", 3])


def test_a_missing_feed_is_named() -> None:
    session = sardonyx.InferenceSession(model(SOFTMAX_OF_LINEAR, w=np.ones((8, 3), np.float32)))
    with pytest.raises(ValueError, match=r"Required inputs \(\['x'\]\)"):
        session.run(None, {})
