"""The models and feeds of the API tests, and how one engine is asked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
MODELS = {
    "two": "g (float[N, 3] x, float[N, 3] y) => (float[N, 3] sum, float[N, 3] product)"
    " { sum = Add(x, y) product = Mul(x, y) }",
    "one": "g (float[N] x) => (float[N] y) { y = Relu(x) }",
    "scalar": "g (float x) => (float y) { y = Relu(x) }",
    "int64": "g (int64[N] x) => (int64[N] y) { y = Add(x, x) }",
    "uint8": "g (uint8[N] x) => (uint8[N] y) { y = Identity(x) }",
    "bool": "g (bool[N] x) => (bool[N] y) { y = Not(x) }",
    "half": "g (float16[N] x) => (float16[N] y) { y = Identity(x) }",
    "same": "g (float[N] x) => (float[N] y) { y = Identity(x) }",
    "double": "g (double[N] x) => (double[N] y) { y = Neg(x) }",
    "text": "g (string[N] x) => (string[N] y) { y = Identity(x) }",
    "static": "g (float[2, 3] x) => (float[3, 2] y) { y = Transpose<perm = [1, 0]>(x) }",
    "gather": "g (float[N] x, int64[M] i) => (float[M] y) { [pick] y = Gather<axis = 0>(x, i) }",
    "divide": "g (int64[N] x, int64[N] d) => (int64[N] y) { [div] y = Div(x, d) }",
    "weighted": "g (float[N] x, float[1] w) => (float[N] y) <float[1] w = {3}> { y = Mul(x, w) }",
    "fixed": "g (float[N] x) => (float[N] y) <float[1] w = {3}> { y = Mul(x, w) }",
    "rank0": "g (float[N, M] x) => (float y) { y = ReduceSum<keepdims = 0>(x) }",
}
ONES = np.ones((2, 3), np.float32)
PAIR = {"x": ONES, "y": 2 * ONES}
LINE = np.array([-1.0, 0.5, 2.0], np.float32)


def model(name: str) -> bytes:
    proto = onnx.parser.parse_model(HEAD + MODELS[name])
    proto.producer_name, proto.domain, proto.model_version = "maker", "org.example", 3
    proto.doc_string, proto.graph.doc_string = "what it does", "the graph"
    onnx.helper.set_model_props(proto, {"key": "value"})
    data: bytes = proto.SerializeToString()
    return data


def session(engine: ModuleType, name: str, *args: Any, **kwargs: Any) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    return engine.InferenceSession(model(name), *(args or (options,)), **kwargs)


def refused(engine: ModuleType, act: Callable[[], Any]) -> tuple[str, str]:
    """The class name and the text of the exception of `act`."""
    try:
        act()
    except Exception as error:
        api = importlib.import_module(f"{engine.__name__}.capi.onnxruntime_pybind11_state")
        known = getattr(api, type(error).__name__, None)
        assert known is type(error) or type(error).__module__ == "builtins"
        if known is not None:
            assert type(error).__mro__[1] is Exception
        return type(error).__name__, str(error)
    pytest.fail("nothing was refused")
