"""Operators that run by the body of their schema, at their oldest and newest opset: native with free sizes.

What their own operators in ONNX's reference evaluator give is expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import sardonyx
from sardonyx.ops.table import operators
from tests.tolerance import assert_close

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
HEADS, GROUPS, WIDTH, DEPTH = 4, 2, 8, 6


class Case(NamedTuple):
    """A node, its opset, and its inputs in order (None: absent)."""

    op: str
    opset: int
    feeds: tuple[Array | None, ...]
    attributes: dict[str, Any]
    outputs: int = 1
    domain: str = ""


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def language_models() -> Iterator[Case]:
    newest = onnx.defs.onnx_opset_version()
    yield Case("SwiGLU", 28, (real(3, 5), real(3, 5)), {"alpha": 1.5})
    heads = (real(2, HEADS, 5, 8), real(2, GROUPS, 6, 8), real(2, GROUPS, 6, 7))
    yield Case("FlexAttention", 1, heads, {"scale": 0.3}, 1, "ai.onnx.preview")
    for opset in (27, newest):
        for rule in ("linear", "gated", "delta", "gated_delta"):
            for past in (None, real(2, GROUPS, WIDTH, DEPTH)):
                decay = -np.abs(real(2, 5, GROUPS * WIDTH)) if "gated" in rule else None
                beta = np.abs(real(2, 5, GROUPS)) / 3 if "delta" in rule else None
                q, k, v = (
                    real(2, 5, HEADS * WIDTH),
                    real(2, 5, GROUPS * WIDTH) / 4,
                    real(2, 5, GROUPS * DEPTH),
                )
                attributes = {"q_num_heads": HEADS, "kv_num_heads": GROUPS, "update_rule": rule}
                yield Case("LinearAttention", opset, (q, k, v, past, decay, beta), attributes, 2)


CASES = [*language_models()]


def model_of(case: Case) -> Any:
    """The model of one node, with every size free."""
    names = ["" if feed is None else f"x{n}" for n, feed in enumerate(case.feeds)]
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(feed.dtype), [f"{name}_{a}" for a in range(feed.ndim)]
        )
        for name, feed in zip(names, case.feeds, strict=True)
        if feed is not None
    ]
    results = [f"y{n}" for n in range(case.outputs)]
    node = helper.make_node(case.op, names, results, domain=case.domain, **case.attributes)
    graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name=name) for name in results])
    imports = [helper.make_opsetid(case.domain, case.opset)]
    if case.domain:
        imports.append(helper.make_opsetid("", onnx.defs.onnx_opset_version()))
    return helper.make_model(graph, opset_imports=imports)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.op}-{c.opset}")
def test_case(case: Case) -> None:
    assert case.op not in {o.name for o in operators() if o.domain == case.domain}, "it has a function now"
    model = model_of(case)
    live = {f"x{n}": feed for n, feed in enumerate(case.feeds) if feed is not None}
    session = sardonyx.InferenceSession(model.SerializeToString())
    got = session.run(None, live)
    assert not session.report.fallbacks
    for actual, expected in zip(got, ReferenceEvaluator(model).run(None, live), strict=True):
        assert_close(actual, np.asarray(expected), 64)


def test_a_map_over_a_sequence_runs_its_body() -> None:
    text = """<ir_version: 10, opset_import: ["" : %d]>
    g (float[N] a, float[M] b) => (float[?] y) {
        s = SequenceConstruct(a, b)
        t = SequenceMap<body = body (float[?] x) => (float[?] z) { z = Mul(x, x) }>(s)
        y = ConcatFromSequence<axis = 0>(t)
    }"""
    for opset in (17, onnx.defs.onnx_opset_version()):
        model = onnx.parser.parse_model(text % opset).SerializeToString()
        a, b = real(3), real(5)
        (y,) = sardonyx.InferenceSession(model).run(None, {"a": a, "b": b})
        assert np.array_equal(y, np.concatenate([a, b]) ** 2)
