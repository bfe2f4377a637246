"""Extents are asked, and what was asked decides for which other extents a text is good."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from types import ModuleType

import pytest

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.emit import access, expr, loops, nest, scopes, tile, window
from sardonyx.emit.extents import Extents
from sardonyx.loops.nest import Axis


def extents(*sizes: Dim) -> tuple[Extents, list[Axis]]:
    axes = [Axis(f"a{n}", size) for n, size in enumerate(sizes)]
    return Extents(axes), axes


def test_answers() -> None:
    known, (six, nine, n) = extents(6, 9, dims.symbol("n"))
    assert [known.count(axis) for axis in (six, nine, n)] == [6, 9, None]
    assert [known.at_least(axis, 9) for axis in (six, nine, n)] == [False, True, False]
    assert [known.at_most([axis], 6) for axis in (six, nine, n)] == [True, False, False]
    assert [known.at_most([six, nine], most) for most in (53, 54)] == [False, True]
    assert known.at_most([], 1) and not known.at_most([six, n], 1000)
    assert [known.leaves(axis, 4) for axis in (six, nine, n)] == [True, True, None]
    assert [known.leaves(axis, 4, 2) for axis in (six, nine, n)] == [True, False, None]
    assert [known.leaves(axis, 3) for axis in (six, nine)] == [False, False]


@pytest.mark.parametrize(
    ("size", "agrees"),
    [(17, True), (33, True), (16, False), (9, False), (34, True), (dims.symbol("n"), False)],
)
def test_other_extents_agree_where_all_answers_are_equal(size: Dim, agrees: bool) -> None:
    asked, (axis, other) = extents(17, 5)
    assert asked.at_least(axis, 16)
    assert asked.leaves(axis, 16)
    assert extents(size, 1000)[0].agree(asked.answers) is agrees, "of the other nothing is asked"
    assert asked.count(other) == 5
    assert not extents(size, 1000)[0].agree(asked.answers)


def test_what_is_asked_is_a_function_of_extents_and_numbers() -> None:
    calls = []

    def total(sizes: Sequence[Dim], more: int) -> Dim:
        calls.append(tuple(sizes))
        return sum(sizes) + more  # type: ignore[return-value]

    asked, (a, b) = extents(2, 3)
    assert [asked.ask(total, [b, a], 1), asked.ask(total, [b, a], 1)] == [6, 6]
    assert calls == [(3, 2)], "and asked once"
    assert extents(1, 4)[0].agree(asked.answers)
    assert not extents(2, 4)[0].agree(asked.answers)


@pytest.mark.parametrize("module", [access, expr, loops, nest, scopes, tile, window])
def test_who_writes_looks_at_no_size_itself(module: ModuleType) -> None:
    """Sizes are looked at where they become words, or are asked for."""
    allowed: set[ast.AST] = set()
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.words.word", "self.words.extent"):
            allowed |= {node.func, *node.args}
    looked_at = [
        n for n in nodes if isinstance(n, ast.Attribute) and n.attr in ("extent", "factor", "stride")
    ]
    assert not [f"line {n.lineno}: {ast.unparse(n)}" for n in looked_at if n not in allowed]
