"""Kernels are timed on random numbers, slowest first; sizes that nobody can mean are refused."""

from __future__ import annotations

import onnx.parser
import pytest

import sardonyx
from sardonyx.base.abi import BOOKKEEPING
from sardonyx.gateway.console.kernels import _OF_THE_ENGINE, free_sizes, measured
from sardonyx.protocol.errors import ServeError

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, K] x, float[K, 16] w) => (float[N, 16] y) { [p] z = MatMul(x, w)  [e] y = Softmax(z) }"""


def test_kernels_come_with_times_and_shares() -> None:
    session = sardonyx.InferenceSession(onnx.parser.parse_model(TEXT).SerializeToString())
    assert [row["name"] for row in free_sizes(session)] == ["N", "K"]
    found = measured(session, {"N": 64, "K": 32})
    times = [row["busy_s"] for row in found["kernels"]]
    assert times == sorted(times, reverse=True) and times[-1] > 0
    assert abs(sum(row["share"] for row in found["kernels"]) - 1) < 1e-9
    assert {name for row in found["kernels"] for name in row["nodes"].split(", ")} >= {"p", "e"}
    with pytest.raises(ServeError, match="choose smaller sizes"):
        measured(session, {"N": 1 << 20, "K": 1 << 20})


def test_calls_of_the_engine_itself_have_words() -> None:
    assert {*_OF_THE_ENGINE} == BOOKKEEPING
    text = """<ir_version: 10, opset_import: ["" : 21]> g (float[4] x, int64 n) => (float[4] y) {
        yes = Constant <value = bool {1}> ()
        y = Loop (n, yes, x) <body = l (int64 i, bool k, float[4] s) => (bool k2, float[4] t)
            { k2 = Identity(k) t = Sin(s) }> }"""
    session = sardonyx.InferenceSession(onnx.parser.parse_model(text).SerializeToString())
    rows = measured(session, {})["kernels"]
    assert not [row for row in rows if "sdx_" in row["operators"] + row["plan"]]
