"""Bodies that lie in each other many times: their results, or a refusal, come at once."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto

from sardonyx import InferenceSession
from sardonyx.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
from sardonyx.frontend import extent
from sardonyx.ops.onnx import control
from tests.unit.runtime.hostile import floats, session


@pytest.mark.parametrize("depth", [32, 200, 2000])
def test_branches_deeper_than_the_format_allows(depth: int) -> None:
    """Written as bytes, as no writer goes so deep."""
    x = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    c = onnx.helper.make_tensor_value_info("c", TensorProto.BOOL, [])

    def part(number: int, content: bytes) -> bytes:
        size, left = b"", len(content)
        while left > 127:
            size, left = size + bytes([left & 127 | 128]), left >> 7
        return bytes([number << 3 | 2]) + size + bytes([left]) + content

    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "t", [], [x])
    graph.output[0].name = "y"
    body = graph.SerializeToString()
    for _ in range(depth):
        branch = part(5, part(1, b"then_branch") + b"\xa0\x01\x05" + part(6, body))
        node = part(1, b"c") + part(2, b"y") + part(4, b"If") + branch
        body = part(1, node) + part(2, b"t") + part(12, graph.output[0].SerializeToString())
    inputs = b"".join(part(11, i.SerializeToString()) for i in (x, c))
    opset = onnx.helper.make_opsetid("", 21).SerializeToString()
    with pytest.raises(InvalidProtobuf, match="lie in each other deeper than files can be read"):
        InferenceSession(b"\x08\x0a" + part(8, opset) + part(7, body + inputs))


def nested(kind: str, depth: int, step: str) -> str:
    """Loops (of one iteration) or Scans in each other; the innermost takes v0 to w0."""
    body = step
    for n in range(depth):
        if kind == "Loop":
            head = f"(int64 i, bool c{n}, float[A] v{n}) => (bool d{n}, float[B] w{n})"
            body = f"Loop<body = b {head} {{ {body} d{n} = Identity(c{n}) }}>(one, , v{n + 1})"
        else:
            head = f"(float[A] v{n}, float i) => (float[B] w{n})"
            body = f"Scan<num_scan_inputs = 1, body = b {head} {{ {body} }}>(v{n + 1}, x)"
        body = f"w{n + 1} = {body}"
    return f"(float[2] v{depth}, float[1] x) => (float w{depth}) <int64 one = {{1}}> {{ {body} }}"


@pytest.mark.parametrize("kind", ["Loop", "Scan"])
@pytest.mark.parametrize("depth", [20, pytest.param(30, marks=pytest.mark.slow)])
def test_loops_in_each_other(kind: str, depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is built twice if it is repeated in place, so only a few of them may be."""
    if depth < 30:
        monkeypatch.setattr(control, "UNROLL_NODES", 20)
    monkeypatch.setattr(extent, "MAX_NODES", 20_000)
    made = session(nested(kind, depth, "w0 = Neg(v0)"))
    assert made.run(None, {f"v{depth}": floats(2), "x": floats(1)})[0].tolist() == [0, -1]


def test_loops_in_each_other_that_change_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "FEW_NODES", 100)
    monkeypatch.setattr(extent, "MAX_REPEATS", 2)
    with pytest.raises(
        Fail, match=r"load model: Loop_0 \(Loop\): too many loops lie in each other that change sizes"
    ):
        session(nested("Loop", 20, "w0 = Concat<axis = 0>(v0, x)"))


def test_a_node_without_meaning_in_many_loops_is_told_once() -> None:
    message = (
        r"load model: Loop_0 \(Loop\): Nonsense_0 \(Nonsense\): Nonsense-24: [^:;]*; @sardonyx.op [^:;]*$"
    )
    with pytest.raises(InvalidGraph, match=message):
        session(nested("Loop", 20, "w0 = Nonsense(v0)"))
