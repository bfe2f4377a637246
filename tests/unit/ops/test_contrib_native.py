"""The hot operators of com.microsoft run native with every size of their inputs free."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import sardonyx
from tests.unit.ops.peer import Array

RNG = np.random.default_rng(0)
MICROSOFT = "com.microsoft"
B, S, H, G, D = 2, 3, 4, 2, 16
Case = tuple[str, dict[str, Array], dict[str, Any], dict[str, Any], int]
"""Operator, what is fed, what the model holds, attributes, number of results."""


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def codes(*shape: int) -> Array:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def scaled(*names: str) -> dict[str, Array]:
    """A scale and a zero point for each name."""
    parts = [{f"{n}s": np.asarray(0.05, np.float32), f"{n}z": np.asarray(7, np.uint8)} for n in names]
    return {name: array for part in parts for name, array in part.items()}


CACHED = {
    "pk": real(B, G, 5, D),
    "pv": real(B, G, 5, D),
    "n": np.full(B, 5, np.int32),
    "t": np.asarray(6, np.int32),
}
ANGLES = {"c": real(32, D // 2), "s": real(32, D // 2)}
LSTM = {"w": codes(1, 6, 32), "r": codes(1, 8, 32), "b": real(1, 64), **dict.fromkeys("lhcp")}
POINTS = {"ws": real(1) ** 2, "wz": codes(1), "rs": real(1) ** 2, "rz": codes(1)}
CASES: tuple[Case, ...] = (
    (
        "MatMulNBits",
        {"a": real(B, S, 64)},
        {"b": codes(24, 2, 16), "s": real(48)},
        {"K": 64, "N": 24, "block_size": 32},
        1,
    ),
    (
        "GroupQueryAttention",
        {"q": real(B, 1, H * D), "k": real(B, 1, G * D), "v": real(B, 1, G * D), **CACHED},
        ANGLES,
        {"num_heads": H, "kv_num_heads": G, "do_rotary": 1, "local_window_size": 4},
        3,
    ),
    ("SkipLayerNormalization", {"x": real(B, S, 8), "y": real(B, S, 8)}, {"g": real(8), "b": real(8)}, {}, 1),
    ("SkipSimplifiedLayerNormalization", {"x": real(B, S, 8), "y": real(B, S, 8)}, {"g": real(8)}, {}, 1),
    ("RotaryEmbedding", {"x": real(B, S, H * D), "p": np.zeros((B, S), np.int64)}, ANGLES, {}, 1),
    (
        "DynamicQuantizeLSTM",
        {"x": real(S, B, 6)},
        {**LSTM, **dict.fromkeys("lhcp"), **POINTS},
        {"hidden_size": 8},
        3,
    ),
    ("QLinearAdd", {"a": codes(B, S)}, {**scaled("a"), "b": codes(1), **scaled("b", "y")}, {}, 1),
    ("QLinearSoftmax", {"a": codes(B, S)}, scaled("a", "y"), {"opset": 13, "axis": -1}, 1),
    ("QLinearGlobalAveragePool", {"a": codes(B, 3, S, S)}, scaled("a", "y"), {}, 1),
    ("QGemm", {"a": codes(B, 8)}, {**scaled("a"), "b": codes(8, 5), **scaled("b")}, {}, 1),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_native(case: Case) -> None:
    op, fed, held, attributes, count = case
    inputs = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(array.dtype),
            [f"{name}{axis}" for axis in range(array.ndim)],
        )
        for name, array in fed.items()
    ]
    known = [numpy_helper.from_array(np.asarray(v), name) for name, v in held.items() if v is not None]
    names = [name if (fed | held)[name] is not None else "" for name in fed | held]
    results = [f"result{n}" for n in range(count)]
    node = helper.make_node(op, names, results, domain=MICROSOFT, **attributes)
    graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name=n) for n in results], known)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    session = sardonyx.InferenceSession(helper.make_model(graph, opset_imports=imports).SerializeToString())
    session.run(None, fed)
    assert not session.report.fallbacks
    compiled = session.report.counters.get("compiles", 0)
    session.run(
        None,
        {name: array[:1] if array.ndim and array.shape[0] == B else array for name, array in fed.items()},
    )
    assert session.report.counters.get("compiles", 0) == compiled


@pytest.mark.parametrize("width", [4, 8])
def test_weights_of_few_bits_times_bytes_are_as_exact_as_in_onnxruntime(width: int) -> None:
    k, n, block = 200, 40, 32
    blocks = -(-k // block)
    held = {"b": codes(n, blocks, block * width // 8), "s": np.abs(real(n, blocks))}
    held["z"] = codes(n, -(-blocks * width // 8))
    a, bias = real(3, k), real(n)

    def run(engine: Any, level: int) -> Array:
        attributes = {"K": k, "N": n, "bits": width, "block_size": block, "accuracy_level": level}
        nodes = [
            helper.make_node("MatMulNBits", ["a", *held], ["p"], domain=MICROSOFT, **attributes),
            helper.make_node("Add", ["p", "bias"], ["y"]),
        ]
        known = [numpy_helper.from_array(v, name) for name, v in {**held, "bias": bias}.items()]
        types = [helper.make_tensor_value_info(v, onnx.TensorProto.FLOAT, ["M", None]) for v in ("a", "y")]
        graph = helper.make_graph(nodes, "g", types[:1], types[1:], known)
        imports = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        result: Array = engine.InferenceSession(model.SerializeToString()).run(None, {"a": a})[0]
        return result

    import onnxruntime

    exact = run(sardonyx, 0)
    errors = [np.linalg.norm(run(engine, 4) - exact) for engine in (sardonyx, onnxruntime)]
    assert errors[0] < 1.1 * errors[1]
    assert errors[0] < 1e-2 * np.linalg.norm(exact)
