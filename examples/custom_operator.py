"""Add two operators: a formula, which is compiled and fused, and a function of numpy arrays.

Usage: python examples/custom_operator.py
"""

from __future__ import annotations

import numpy as np
import onnx.parser

import sardonyx
from sardonyx import Value

MODEL = """
<ir_version: 10, opset_import: ["" : 21, "my.ops" : 1]>
agraph (float[N, 8] x) => (float[N] y) {
    s = Sigmoid(x)
    b = my.ops.Bump<width = 0.5>(s)
    y = my.ops.Median(b)
}
"""


@sardonyx.op("Bump", domain="my.ops")
def bump(x: Value, *, width: float = 1.0) -> Value:
    """exp(-(x / width)^2)"""
    return (-(x / width) * (x / width)).exp()


@sardonyx.op("Median", domain="my.ops", results=lambda x: (x.dtype, x.shape[:-1]))
def median(x: np.ndarray) -> np.ndarray:
    """The median of every row."""
    return np.asarray(np.median(x, axis=-1))


if __name__ == "__main__":
    session = sardonyx.InferenceSession(onnx.parser.parse_model(MODEL).SerializeToString())
    print(session.run(None, {"x": np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)})[0])
    print(session.explain())
