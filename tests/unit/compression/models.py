"""Small models whose weights are worth fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.random import default_rng
from onnx import parser

from tests.models.evaluator import evaluated

Array = np.ndarray[Any, Any]


def model(text: str, **weights: Any) -> onnx.ModelProto:
    """A model of ONNX's text form with these weights."""
    read = parser.parse_model(text)
    read.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()
    )
    onnx.checker.check_model(read)
    return read


def drawn(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (scale * default_rng(seed).standard_normal(shape)).astype(np.float32)


def two_layers() -> onnx.ModelProto:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 48] x) => (float[N, 10] y)
    {
        a = MatMul (x, w)
        b = Add (a, c)
        h = Relu (b)
        y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (h, v, d)
    }"""
    return model(text, w=drawn(48, 64), c=drawn(64, seed=1), v=drawn(10, 64, seed=2), d=drawn(10, seed=3))


def picture_net() -> onnx.ModelProto:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 3, 16, 16] x) => (float[N, 5] y)
    {
        a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
        r = Relu (a)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        s = Conv <pads = [1, 1, 1, 1]> (p, v)
        t = Add (s, p)
        g = GlobalAveragePool (t)
        f = Flatten (g)
        y = Gemm (f, u)
    }"""
    shapes = {"w": (16, 3, 3, 3), "b": (16,), "v": (16, 16, 3, 3), "u": (16, 5)}
    weights = {name: drawn(*shape, seed=at, scale=0.3) for at, (name, shape) in enumerate(shapes.items())}
    return model(text, **weights)


def with_bodies() -> onnx.ModelProto:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[4, 32] x, bool c) => (float[4, 32] y)
    {
        y = If (c) <
            then_branch = t () => (float[4, 32] p) { p = MatMul (x, w) },
            else_branch = e () => (float[4, 32] q) { h = MatMul (x, w)  q = Tanh (h) }
        >
    }"""
    return model(text, w=drawn(32, 32))


def answers(made: onnx.ModelProto, feeds: dict[str, Any]) -> list[Array]:
    """What this engine says, and that ONNX's evaluator says nearly the same.

    onnxruntime must take the model and give results of these types and shapes; its values judge nothing:
    its sums of 8-bit products saturate on some CPUs.
    """
    import onnxruntime

    from sardonyx import InferenceSession

    onnx.checker.check_model(made)
    data = made.SerializeToString()
    ours = InferenceSession(data).run(None, feeds)
    theirs = onnxruntime.InferenceSession(data).run(None, feeds)
    assert [(y.dtype, y.shape) for y in ours] == [(y.dtype, y.shape) for y in theirs]
    exact = dict(evaluated(data, feeds))
    for output, mine in zip(made.graph.output, ours, strict=True):
        right = exact[output.name]
        assert (mine.dtype, mine.shape) == (right.dtype, right.shape)
        apart = np.abs(mine.astype(np.float64) - right.astype(np.float64)).max(initial=0)
        assert apart <= 0.02 * np.abs(right.astype(np.float64)).max(initial=1e-30)
    return list(ours)


def error(made: onnx.ModelProto, original: onnx.ModelProto, feeds: dict[str, Any]) -> float:
    """Root mean square of the differences as a part of the values', the worst output."""
    from sardonyx import InferenceSession

    wanted = InferenceSession(original.SerializeToString()).run(None, feeds)
    found = answers(made, feeds)
    return max(
        float(np.sqrt(np.mean((a - b.astype(np.float32)) ** 2) / np.mean(a**2)))
        for a, b in zip(wanted, found, strict=True)
    )


def kinds(made: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in made.graph.node]
