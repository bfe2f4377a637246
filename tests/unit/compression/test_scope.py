"""Weights, names and bodies of a graph that is rewritten."""

from __future__ import annotations

import numpy as np
import onnx

from sardonyx.compression.scope import (
    Scope,
    every_graph,
    forget_unused_weights,
    identity,
    names_of,
    opset,
    require,
    rewrite,
)
from tests.unit.compression.models import drawn, model, two_layers, with_bodies


def test_weights_are_seen_from_bodies_and_constants_count() -> None:
    made = with_bodies()
    outer = Scope(made.graph)
    inner = Scope(made.graph.node[0].attribute[0].g, outer)
    assert np.array_equal(inner.float_weight("w"), drawn(32, 32))
    assert inner.weight("x") is None
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[2] x) => (float[2] y) { c = Constant <value = float[1] {3}> ()  y = Add (x, c) }"""
    assert Scope(model(text).graph).weight("c") == np.float32(3)


def test_integer_weights_are_no_float_weights() -> None:
    scope = Scope(two_layers().graph)
    name = scope.add(np.arange(3), "w")
    assert name == "w_1"
    assert scope.float_weight(name) is None
    assert scope.float_weight("") is None


def test_what_is_derived_of_a_weight_stands_where_it_does_and_is_made_once() -> None:
    made = with_bodies()
    outer = Scope(made.graph)
    inner, other = (Scope(row.g, outer) for row in made.graph.node[0].attribute)
    names = inner.derived("w", "doubled", lambda: {"twice": np.float32([2])})
    assert names == other.derived("w", "doubled", lambda: {"twice": np.float32([3])}) == ("w_twice",)
    assert inner.derived("w", "halved", lambda: {"twice": np.float32([1])}) == ("w_twice_1",)
    assert [tensor.name for tensor in made.graph.initializer] == ["w", "w_twice", "w_twice_1"]


def test_weights_that_hold_what_stands_for_infinity_are_not_bounded() -> None:
    scope = Scope(two_layers().graph)
    assert scope.bounded_weight("w") is not None
    for number in (np.nan, np.inf, -3e38):
        assert scope.bounded_weight(scope.add(np.float32([1, number]), "endless")) is None


def test_names_are_fresh_in_bodies_too() -> None:
    made = with_bodies()
    scope = Scope(made.graph)
    assert scope.fresh("h") == "h_1"
    assert Scope(made.graph.node[0].attribute[0].g, scope).fresh("h") == "h_2"
    assert {"x", "c", "w", "h", "p", "q", "y"} <= set(names_of(made.graph))
    assert len(list(every_graph(made.graph))) == 3


def test_nodes_of_bodies_are_rewritten_first() -> None:
    made, met = with_bodies(), []

    def of(scope: Scope, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        met.append((node.op_type, scope.outer is None))
        return [] if node.op_type == "Tanh" else None

    rewrite(Scope(made.graph), of)
    assert met[-1] == ("If", True)
    assert ("Tanh", False) in met
    assert "Tanh" not in {node.op_type for graph in every_graph(made.graph) for node in graph.node}


def test_weights_that_nobody_reads_go() -> None:
    made = two_layers()
    Scope(made.graph).add(np.zeros(3), "spare")
    forget_unused_weights(made.graph)
    assert {tensor.name for tensor in made.graph.initializer} == {"w", "c", "v", "d"}


def test_facts_of_a_model() -> None:
    made = two_layers()
    require(made, "com.microsoft", 1)
    require(made, "com.microsoft", 1)
    assert [(row.domain, row.version) for row in made.opset_import] == [("", 21), ("com.microsoft", 1)]
    assert opset(made) == 21
    assert opset(onnx.ModelProto()) == 1
    assert identity(made.graph.node[0]) == "a"
