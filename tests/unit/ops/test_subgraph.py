"""A body that a formula writes around a subgraph: in place, or a graph of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ops.subgraph import Around, Formal, Formula, Inline
from tests.unit.ops.formulas import computed
from tests.unit.ops.microsoft.search.bodies import nested

Array = np.ndarray[Any, Any]
INNER = nested("g (float[2] a) => (float[2] b) { b = Neg(a) }")


def doubled(run: Inline, args: Sequence[Value]) -> Sequence[Value]:
    (result,) = run(args[0] + args[1])
    return result * 2, args[1]


AROUND = Around(INNER, ("x", "y"), ("twice", "same"), doubled)
X, Y = np.float32([1, 2]), np.float32([10, 20])


def test_its_own_names_are_of_any_type() -> None:
    assert AROUND.inputs == (Formal("x", None, None), Formal("y", None, None))
    assert [formal.name for formal in AROUND.outputs] == ["twice", "same"]


def test_in_place_it_is_a_formula() -> None:
    twice, same = computed(*AROUND.inline(const(X), const(Y)))
    assert (twice.tolist(), same.tolist()) == ([-22, -44], [10, 20])


def test_closed_it_is_a_graph_over_its_formals() -> None:
    x, y = (placeholder(name, dt.F32, (2,)) for name in "xy")
    body = AROUND.close([x, y])
    assert body.graph.inputs == (x, y)
    assert [name for name, _ in body.graph.outputs] == ["twice", "same"]
    assert (body.captures, body.names, body.sizes) == ((), (), ())
    twice, _ = run(body.graph, [X, Y])
    np.testing.assert_array_equal(twice, [-22, -44])


def test_closed_over_other_values_it_still_takes_its_formals() -> None:
    x = placeholder("x", dt.F32, (2,))
    body = AROUND.close([x], [x + 1, x])
    assert body.graph.inputs == (x,)
    np.testing.assert_array_equal(run(body.graph, [X])[0], [-6, -10])


def test_what_it_reads_from_outside_is_captured() -> None:
    outer, x = placeholder("outer", dt.F32, (2,)), placeholder("x", dt.F32, (2,))
    inner = nested("g (float[2] a) => (float[2] b) { b = Add(a, w) }")
    inner.scope.define("w", outer)
    body = Around(inner, ("x",), ("sum",), lambda run, args: run(args[0])).close([x])
    assert body.captures == (outer,)
    assert len(body.graph.inputs) == 2
    np.testing.assert_array_equal(run(body.graph, [X, Y])[0], X + Y)


def test_a_formula_captures_the_outer_values_it_names_but_for_constants() -> None:
    outer, x = placeholder("outer", dt.F32, (2,)), placeholder("x", dt.F32, (2,))
    formula = Formula(("x",), ("y",), lambda x, outer, two: (x * two + outer,), (outer, const(np.float32(2))))
    body = formula.close([x])
    assert body.captures == (outer,)
    assert run(body.graph, [X, Y])[0].tolist() == [12, 24]
    assert computed(*Formula(*formula_of(Y)).inline(const(X)))[0].tolist() == [11, 22]


def formula_of(outer: Array) -> Any:
    return ("x",), ("y",), lambda x, outer: (x + outer,), (const(outer),)
