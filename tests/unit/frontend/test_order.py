"""The order of nodes, what each reads, and which of them nothing needs."""

from __future__ import annotations

import onnx
import pytest

from sardonyx.errors import LoadError
from sardonyx.frontend.order import order_of, ordered, reads, unread_of


def graph(text: str) -> onnx.GraphProto:
    return onnx.parser.parse_graph(text)


def test_nodes_come_in_an_order_in_which_names_are_defined() -> None:
    nodes = graph("g (float x) => (float y) { y = Neg(b) b = Exp(a) a = Abs(x) }").node
    assert [node.op_type for node in ordered(nodes, ["x"])] == ["Abs", "Exp", "Neg"]
    listed = graph("g (float x) => (float y) { a = Abs(x) y = Neg(a) }").node
    assert ordered(listed, ["x"]) is listed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a = Abs(b) [back] b = Neg(a)",
            "the nodes form a cycle: .*Abs.*back|the nodes form a cycle: .*back",
        ),
        ("a = Abs(x) a = Neg(x)", 'the tensor "a" is defined twice'),
        ("x = Abs(x)", 'the tensor "x" is defined twice'),
    ],
)
def test_an_order_that_there_is_not_is_told(text: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        ordered(graph(f"g (float x) => () {{ {text} }}").node, ["x"])


def test_a_node_reads_what_its_subgraphs_capture() -> None:
    (node,) = graph("""g (bool c) => (float y) { y = If (c) <
        then_branch = t () => (float a) <float w = {1}> { i = Neg(u) a = Add(i, w) },
        else_branch = e () => (float v) { }> }""").node
    assert [*reads(node)] == ["c", "u", "v"]


def test_nodes_that_nothing_wanted_comes_from_are_unread() -> None:
    nodes = graph("g () => () { b = Neg(a) c = Neg(b) a = Abs(x) d = Exp(a) }").node
    read = [reads(node) for node in nodes]
    order = order_of(nodes, read, ["x"])
    assert list(order) == [2, 0, 3, 1]
    assert unread_of(nodes, read, order, ["b"]) == {1, 3}
    assert unread_of(nodes, read, order, []) == {0, 1, 2, 3}
