"""Small programs for tests, compiled from ONNX text."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sardonyx.base.knobs import CompileOptions
from sardonyx.store.loader import load_program
from tests.tolerance import assert_close

Array = np.ndarray[Any, Any]
HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'

LINEAR = """
g (float[N,8] x) => (float[N,4] y) <float[8,4] w, float[4] b> { m = MatMul(x, w) s = Add(m, b) y = Relu(s) }
"""
SCALED = (
    "g (float[N,8] x) => (float[N,8] y) <float[8] w, float[8] b> { m = Mul(x, w) s = Add(m, b) y = Relu(s) }"
)
GATHER = "g (float[N,3] x, int64[K] i) => (float[K,3] y) { y = Gather(x, i) }"
NONZERO = """
g (float[N] x, float[M] z) => (float[K] y, float[M] u) <int64[1] a = {0}> {
    p = NonZero(x)  q = Squeeze(p, a)  g = Gather(x, q)  e = Exp(g)  t = ReduceSum(e)
    y = Sqrt(e)  u = Mul(z, t)
}
"""
WRITTEN = (
    "g (float[N,8] x) => (float[N,8] y) { r = Relu(x) t = Cast<to = 8>(r) u = Cast<to = 1>(t) y = Exp(u) }"
)
"""The numbers become text and back, in Python, between native segments."""


def model(text: str, **initializers: Array) -> bytes:
    """The bytes of a model; initializers declared in the text get these values."""
    proto = onnx.parser.parse_model(HEAD + text)
    if initializers:
        del proto.graph.initializer[:]
        given = [onnx.numpy_helper.from_array(a, n) for n, a in initializers.items()]
        proto.graph.initializer.extend(given)
    return proto.SerializeToString()


def linear(seed: int = 0) -> bytes:
    """A layer with random weights."""
    return model(LINEAR, w=f32(8, 4, seed=seed), b=f32(4, seed=seed + 1))


def scaled(seed: int = 0) -> bytes:
    """A layer that compiles fast."""
    return model(SCALED, w=f32(8, seed=seed), b=f32(8, seed=seed + 1))


def program(data: bytes, **options: Any) -> Any:
    """The compiled program of a model."""
    return load_program(data, CompileOptions.resolve(**options))


def f32(*shape: int, seed: int = 0) -> Array:
    """Random numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(made: Any, data: bytes, *feeds: Array) -> list[Array]:
    """Compare a run with ONNX's reference; the outputs."""
    names = [info.name for info in made.inputs]
    expected = ReferenceEvaluator(onnx.load_from_string(data)).run(None, dict(zip(names, feeds, strict=True)))
    found: list[Array] = made.run(feeds, tuple(range(len(expected))))
    for a, e in zip(found, expected, strict=True):
        assert_close(a, np.asarray(e), 64)
    return found
