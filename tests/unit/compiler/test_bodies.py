"""Which control flow becomes native code, and what the rest becomes: steps over programs of their own."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx.base import dim as dims
from sardonyx.compiler.bodies import NATIVE_CONTROL, control_step, native_control
from sardonyx.frontend import load
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value
from sardonyx.runtime.control import Choice, Repetition, Traversal
from tests.unit.frontend.models import parsed

SAME = """g (float[N,3] x, bool c) => (float[?,?] y) { y = If (c) <
    then_branch = t () => (float[?,?] a) { a = Neg(x) },
    else_branch = e () => (float[?,?] b) { b = Exp(x) }> }"""
LONGER = SAME.replace("b = Exp(x)", "b = Concat<axis = 0>(x, x)")
TEXT = """g (float[N,3] x, bool c) => (string[?,?] y) { y = If (c) <
    then_branch = t () => (string[?,?] a) { a = Cast<to = 8>(x) },
    else_branch = e () => (string[?,?] b) { n = Neg(x) b = Cast<to = 8>(n) }> }"""
SIZED = """g (float[N,3] x, bool c) => (string[?,?] y) { s = Shape(x) y = If (c) <
    then_branch = t () => (string[?,?] a) { z = ConstantOfShape(s) a = Cast<to = 8>(z) },
    else_branch = e () => (string[?,?] b) { b = Cast<to = 8>(x) }> }"""
LOOP = """g (float[N,3] x, int64 n, bool c) => (float[?,?] y) { y = Loop (n, c, x) <
    body = b (int64 i, bool k, float[?,?] p) => (bool d, float[?,?] q) { q = Exp(p) d = Identity(k) }> }"""
STACKS = (
    LOOP.replace(" y)", " y, float[?] r)")
    .replace("y = Loop", "y, r = Loop")
    .replace("q) {", "q, float s) { s = ReduceSum<keepdims = 0>(p)")
)
GROWS = LOOP.replace("q = Exp(p)", "q = Concat<axis = 0>(p, p)")
SCAN = """g (float[3] x, float[T,3] u) => (float[?] y, float[?,?] r) {
    y, r = Scan (x, u) <num_scan_inputs = 1,
        body = b (float[3] p, float[3] v) => (float[3] q, float[3] s) { q = Add(p, v) s = Identity(q) }> }"""


def graph(text: str) -> Graph:
    return load(parsed(text)).graph


def prims(text: str, native: frozenset[str] = NATIVE_CONTROL) -> set[str]:
    found = native_control(graph(text), native, lambda body: body)
    return {v.prim for v in found.order()} & {"if", "loop", "scan", *NATIVE_CONTROL}


@pytest.mark.parametrize(
    ("text", "prim"),
    [
        (SAME, "native_if"),
        (LONGER, "native_if"),
        (TEXT, "if"),
        (LOOP, "native_loop"),
        (GROWS, "loop"),
        (STACKS, "loop"),
        (SCAN, "native_scan"),
    ],
    ids=[
        "same sizes",
        "sizes that the choice tells",
        "texts",
        "loop",
        "growing",
        "an unknown number of rows",
        "scan",
    ],
)
def test_native_code_runs_what_it_knows_the_sizes_of(text: str, prim: str) -> None:
    assert prims(text) == {prim}


def test_a_target_without_native_control_changes_nothing() -> None:
    whole = graph(LOOP)
    assert native_control(whole, frozenset({"topk"}), _refuse) is whole
    plain = graph("g (float[N] x) => (float[N] y) { y = Neg(x) }")
    assert native_control(plain, NATIVE_CONTROL, _refuse) is plain


def _refuse(body: Graph) -> Graph:
    raise AssertionError("no body is simplified")


def test_bodies_are_simplified_first() -> None:
    seen: list[Graph] = []

    def simplify(body: Graph) -> Graph:
        seen.append(body)
        return body

    native_control(graph(SAME), NATIVE_CONTROL, simplify)
    assert [[v.prim for v in body.order()][-1] for body in seen] == ["neg", "exp"]


def step(text: str) -> tuple[Any, list[Graph]]:
    """The step of a model's control flow, and the bodies that become programs."""
    (value,) = (v for v in graph(text).order() if v.prim in ("if", "loop", "scan"))
    bodies: list[Graph] = []

    def compile_body(body: Graph) -> Any:
        bodies.append(body)
        return body

    return control_step(value, compile_body), bodies


def test_a_choice_has_two_programs_and_knows_whose_operands_are_whose() -> None:
    made, bodies = step(TEXT)
    assert isinstance(made, Choice)
    assert (made.split, made.name) == (1, "If_0")
    assert [made.then.data, made.otherwise.data] == bodies
    assert made.then.passed == (-1,)


def test_sizes_from_outside_are_inputs_without_elements() -> None:
    made, (then, _) = step(SIZED)
    assert made.then.sizes == (dims.symbol("N"),)
    assert then.inputs[-1].shape == (0, dims.symbol("N"))


def test_a_body_that_passes_its_operands_on_has_no_program() -> None:
    text = LONGER.replace("a = Neg(x)", "a = Identity(x)")
    made, bodies = step(text)
    assert (made.then.data, made.then.passed, made.then.sizes) == (None, (0,), ())
    assert len(bodies) == 1


def test_a_loop_and_a_scan_keep_how_their_operands_are_meant() -> None:
    made, _ = step(STACKS)
    assert isinstance(made, Repetition)
    assert (made.limited, made.conditional, made.carried) == (True, True, 1)
    assert len(made.stacked) == 1
    made, _ = step(SCAN)
    assert isinstance(made, Traversal)
    assert (made.carried, made.scanned) == (1, 1)
    assert made.stacked == (("float32", (3,)),)


def test_values_of_a_graph_are_left_as_they_are() -> None:
    whole = graph(TEXT)
    again = native_control(whole, NATIVE_CONTROL, lambda body: body)
    values: list[Value] = again.order()
    assert [v.prim for v in values] == [v.prim for v in whole.order()]
