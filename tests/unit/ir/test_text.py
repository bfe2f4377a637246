"""A graph as text: one value a line, names that stay, small contents written out."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.data_size import collect_data_sizes, content, data_sized
from sardonyx.ir.graph import Graph
from sardonyx.ir.origin import origin
from sardonyx.ir.text import operation, signature, text
from sardonyx.ir.value import const, placeholder

N = dims.symbol("N")


def test_a_whole_graph() -> None:
    x = placeholder("x", dt.F32, (N, 2))
    with origin("Relu_1"):
        y = x.max(0)
    graph = Graph((x,), (("y", y * const(np.float32([[1, 2]]))),))
    assert text(graph).splitlines() == [
        "input x: f32[N,2]",
        "v0: f32[N,2] = max(x, 0)  # Relu_1",
        "v1: f32[1,2] = const [1.0, 2.0]",
        "v2: f32[N,2] = mul(v0, v1)",
        "output y: v2",
    ]


def test_sizes_that_data_gives_are_named() -> None:
    i = placeholder("i", dt.I64, (2,))
    with collect_data_sizes() as unknowns:
        a, _ = content(i)
        (found,) = data_sized("nonzero", [i], {}, [(dt.I64, (1, None))])
    lines = text(Graph((i,), (("a", i.slice((0,), (a,))), ("b", found)), unknowns)).splitlines()
    assert sum(line.startswith("size ") and line.endswith("= i[0]") for line in lines) == 1
    assert sum(line.startswith("size ") and line.endswith(".0.shape[1]") for line in lines) == 1


def test_signatures_and_contents() -> None:
    assert signature(placeholder("x", dt.I8, ())) == "i8[]"
    assert operation(const(np.arange(99)), {}) == "const of 99 elements"
    body = Graph((), (("y", const(np.zeros(3))),))
    x = placeholder("x", dt.F32, (2,))
    node = x.sum(0)
    node.attrs["body"] = body
    assert "body=graph(1 values)" in operation(node, {x.id: "x"})
    del node.attrs["body"]
