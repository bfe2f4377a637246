"""Names of one graph and how nodes become values among them: captures, functions, what is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError, NeedsContent, UnsupportedOp
from sardonyx.frontend import extent, scope
from sardonyx.frontend.scope import Found, Model, NestedGraph, Scope
from sardonyx.frontend.tensors import TensorReader
from sardonyx.ir.data_size import DataSize, collect_data_sizes
from sardonyx.ir.premise import collect_premises
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ops.subgraph import closed_graph
from tests.unit.ops.formulas import computed

OPSETS = {"": 21, "com.microsoft": 1}


def around(model: Model | None = None, **values: Value | None) -> Scope:
    return Scope(model or Model({}, TensorReader(())), OPSETS, values=dict(values))


def graph(text: str) -> onnx.GraphProto:
    return onnx.parser.parse_graph(text)


def x(*shape: Any, dtype: dt.DType = dt.F32) -> Value:
    return placeholder("x", dtype, shape or (2,))


def built(text: str, **values: Value | None) -> Scope:
    made = around(**values)
    nodes = graph(f"g () => () {{ {text} }}").node
    made.build(nodes, [name for node in nodes for name in node.output])
    return made


def test_a_name_is_looked_for_here_then_outside() -> None:
    outer, value = around(), x()
    outer.define("x", value)
    inner = Scope(outer.model, OPSETS, outer)
    assert inner.find("x") is value
    assert inner.find("") is None
    with pytest.raises(LoadError, match='nothing defines the tensor "z"'):
        inner.find("z")


def test_a_closed_body_takes_outer_values_through_one_placeholder() -> None:
    captured: dict[int, tuple[Value, Value]] = {}
    outer = around()
    outer.define("x", x())
    outer.define("one", const(np.float32([1])))
    inner = Scope(outer.model, OPSETS, outer, captured=captured)
    first = inner.find("x")
    assert first is not None
    assert first is inner.find("x")
    assert first is not outer.find("x")
    assert captured == {outer.find("x").id: (outer.find("x"), first)}  # type: ignore[union-attr]
    assert inner.find("one") is outer.find("one")


def test_a_name_has_one_value() -> None:
    made, value = around(), x()
    for _ in range(2):
        made.define("a", value)
    made.define("", value)
    with pytest.raises(LoadError, match='the tensor "a" is defined twice'):
        made.define("a", x())


def test_initialisers_are_defined_but_those_that_are_skipped() -> None:
    made = around()
    made.initialise(graph("g () => () <float[2] a = {1, 2}, float[1] b = {3}> { }"), frozenset({"b"}))
    assert set(made.values) == {"a"}
    assert made.values["a"].data.tolist() == [1, 2]  # type: ignore[union-attr]


def test_a_fault_names_node_and_operator() -> None:
    with pytest.raises(
        UnsupportedOp, match=r"^here \(Nonsense\): Nonsense-21: this operator is not supported"
    ):
        built("[here] y = Nonsense(x)", x=x())
    with pytest.raises(LoadError, match=r"^Split_0 \(Split\): it has \d results, the node names 3"):
        built("a, b, c = Split<axis = 0, num_outputs = 2>(x)", x=x(4))


def test_a_result_that_is_not_there_is_told() -> None:
    with pytest.raises(UnsupportedOp, match='Norm.*: its result "mean" is not available'):
        built("y, mean = com.microsoft.SkipSimplifiedLayerNormalization(x, x, g)", x=x(3, 2), g=x())


def test_nothing_is_asked_of_a_node_that_gives_nothing() -> None:
    made = around(x=x())
    made.build([helper.make_node("Nonsense", ["x"], [""])], [])
    assert set(made.values) == {"x"}


def test_nesting_and_size_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    made = around(x=x())
    made.depth = extent.MAX_DEPTH + 1
    with pytest.raises(LoadError, match=f"nested more than {extent.MAX_DEPTH} deep"):
        made.build([], [])
    monkeypatch.setattr(extent, "FEW_NODES", 2)
    monkeypatch.setattr(extent, "MAX_NODES", 2)
    with pytest.raises(LoadError, match="has more than 2 nodes"):
        built("a = Abs(x) b = Abs(a) c = Abs(b)", x=x())


def test_a_domain_without_operators_needs_an_opset() -> None:
    with pytest.raises(LoadError, match='imports no opset for the domain "no.such"'):
        built("y = no.such.Op(x)", x=x())


def test_tensors_have_the_names_of_the_model_and_known_contents() -> None:
    model = Model({}, TensorReader(()), contents={"k": [3, 4]})
    value = x(dtype=dt.I64)
    assert model.name(value, "a") is value
    model.name(x(), "a")
    assert model.named == {value.id: "a"}
    known = model.name(x(dtype=dt.I64), "k")
    assert (known.data.tolist(), known.dtype) == ([3, 4], dt.I64)


def test_reading_ends_with_the_last_tensor_that_is_sought() -> None:
    model = Model({}, TensorReader(()), sought={"a": None, "b": None})
    model.name(x(), "a")
    with pytest.raises(Found):
        model.name(x(), "b")


def test_small_whole_tensors_may_be_asked_for_in_place_of_what_they_decide() -> None:
    model = Model({}, TensorReader(()))
    few, many = x(3, dtype=dt.I64), x(99, dtype=dt.I64)
    model.name(few, "few")
    model.name(many, "many")
    assert model.computed([few + 1]) == {"few"}
    assert model.computed([const(np.array([1]))]) == set()
    assert model.computed([few + 1, many]) is None
    asked = model.question(NeedsContent("the count", wanted=(few + 1,)))
    assert (asked.answerable, asked.tensors) == (True, ("few",))
    assert not model.question(NeedsContent("the count", wanted=(many,))).answerable


def test_what_is_built_again_has_no_name_of_its_own() -> None:
    """Its content may be another."""
    model = Model({}, TensorReader(()), contents={"n": np.array(7)})
    first, again = x(dtype=dt.I64), x(dtype=dt.I64)
    assert model.name(first, "n").is_numeric_const
    assert model.name(again, "n") is again
    assert model.computed([again]) is None


def test_inputs_and_free_sizes_can_be_asked_for() -> None:
    model = Model({}, TensorReader(()), askable={"n"}, sizes={"N": ("x", 0)})
    asked = model.question(NeedsContent("the count", inputs=("n",), sizes=(("N", "", 0), ("M", "", 0))))
    assert (asked.answerable, asked.inputs, asked.sizes) == (True, ("n",), (("N", "x", 0),))
    assert model.question(asked) is asked
    assert not model.question(NeedsContent("the count", inputs=("n", "other"))).answerable
    assert not model.question(NeedsContent("the count", sizes=(("M", "", 0),))).answerable


def test_a_subgraph_takes_as_many_arguments_as_it_has_inputs() -> None:
    body = NestedGraph(graph("b (float[2] p) => (float[2] q) { q = Neg(p) }"), around())
    assert [formal.name for formal in (*body.inputs, *body.outputs)] == ["p", "q"]
    (found,) = body.inline(const(np.float32([1, 2])))
    assert found.prim in ("neg", "const")
    with pytest.raises(LoadError, match="the subgraph b takes 1 inputs, not 2"):
        body.inline(x(), x())


def test_a_subgraph_must_give_what_it_names() -> None:
    body = NestedGraph(graph("b (float[2] p) => (float[2] p) { }"), around())
    with pytest.raises(LoadError, match='the subgraph b has the missing result "p"'):
        body.inline(None)


def test_a_function_is_built_with_its_own_names_and_defaults() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21, "my" : 1]>
        g (float[2] x) => (float[2] y) { y = my.F(x) }
        <domain: "my", opset_import: ["" : 21]> F <k: float = 3.0> (a) => (b) {
            c = Constant<value_float: float = @k>() b = Mul(a, c) }"""
    proto = onnx.parser.parse_model(text)
    functions = {(f.domain, f.name, f.overload): f for f in proto.functions}
    made = Scope(
        Model(functions, TensorReader(())), {"": 21, "my": 1}, values={"x": const(np.float32([1, 2]))}
    )
    made.build(proto.graph.node, ["y"])
    assert computed(made.find("y"))[0].tolist() == [3, 6]  # type: ignore[arg-type]
    assert set(made.values) == {"x", "y"}
    with pytest.raises(LoadError, match="it has 2 inputs, its function takes 1"):
        made.build([helper.make_node("F", ["x", "x"], ["z"], domain="my")], ["z"])


def test_graphs_keep_the_sizes_that_they_mention() -> None:
    value = x(dims.symbol("N"))
    sizes = {name: DataSize(value, 0) for name in ("N", "M")}
    made = closed_graph((value,), (("y", value.exp()),), sizes, ())
    assert made.inputs == (value,)
    assert set(made.data_sizes) == {"N"}


@pytest.mark.parametrize("wanted", [["y"], ["y", "z"]])
@pytest.mark.parametrize("is_computed", [False, True])
def test_what_unread_nodes_assume_of_computed_sizes_is_lost(wanted: list[str], is_computed: bool) -> None:
    with collect_data_sizes() as sizes, collect_premises() as noted:
        first, second = (placeholder(name, dt.F32, (dims.symbol(name),)) for name in "NM")
        if is_computed:
            sizes["M"] = DataSize(first, 0)
        made = around(x=first, w=second)
        made.build(graph("g () => () { y = Neg(x) z = Add(x, w) }").node, wanted)
    assert bool([*noted.values()]) is ("z" in wanted or not is_computed)


def test_small_things_of_nodes() -> None:
    node = helper.make_node("Op", [], [], domain="my")
    assert (scope.shown(node), scope.shown(helper.make_node("Op", [], []))) == ("my.Op", "Op")
    imports = [helper.make_opsetid("ai.onnx", 17), helper.make_opsetid("my", 2)]
    assert scope.opsets_of(imports) == {"": 17, "my": 2}


@pytest.mark.parametrize(
    ("op", "has_body"), [("Celu", True), ("Softsign", True), ("MatMul", False), ("Nonsense", False)]
)
def test_some_schemas_have_bodies(op: str, has_body: bool) -> None:
    found = scope.schema_function(helper.make_node(op, ["x"], ["y"]), "", 21, [x()])
    assert (found is not None) is has_body
    assert found is None or len(found.node) > 0
