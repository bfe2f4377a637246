"""Rules are applied bottom-up until none fits; those that undo each other are named."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import CompileError
from sardonyx.ir import rewrite as rewriting
from sardonyx.ir.graph import Graph
from sardonyx.ir.origin import origin
from sardonyx.ir.rewrite import Uses, rewrite, rule
from sardonyx.ir.value import Value, placeholder


@pytest.fixture(autouse=True)
def own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_rules", {})


def x() -> Value:
    return placeholder("x", dt.F32, (4,))


def graph(v: Value, *outputs: Value) -> Graph:
    return Graph((v,), tuple((f"y{n}", o) for n, o in enumerate(outputs)))


def test_rules_run_on_what_rules_gave() -> None:
    @rule("sinh")
    def to_cosh(value: Value, uses: Uses) -> Value | None:
        return value.args[0].unary("cosh")

    @rule("cosh")
    def to_tanh(value: Value, uses: Uses) -> Value | None:
        return value.args[0].unary("tanh")

    v = x()
    ((_, y),) = rewrite(graph(v, v.unary("sinh").exp())).outputs
    assert (y.prim, y.args[0].prim) == ("exp", "tanh"), "the operand first, then what uses it"


def test_a_rule_sees_how_often_a_value_is_used() -> None:
    seen: dict[str, int] = {}

    @rule("exp", "log", "sqrt")
    def count(value: Value, uses: Uses) -> Value | None:
        seen[value.prim] = uses(value)
        return None

    v = x()
    exp, log = v.exp(), v.log()
    rewrite(graph(v, exp + log, exp, log.sqrt()))
    assert seen == {"exp": 2, "log": 2, "sqrt": 1}


def test_new_values_keep_the_node_they_are_for() -> None:
    @rule("exp")
    def replaced(value: Value, uses: Uses) -> Value | None:
        return value.args[0].unary("tanh")

    v = x()
    with origin("node"):
        y = v.exp()
    ((_, new),) = rewrite(graph(v, y)).outputs
    assert new.origins == ("node",)


def test_rules_that_undo_each_other_are_named() -> None:
    @rule("exp")
    def there(value: Value, uses: Uses) -> Value | None:
        return value.args[0].log()

    @rule("log")
    def back(value: Value, uses: Uses) -> Value | None:
        return value.args[0].exp()

    v = x()
    with pytest.raises(CompileError, match=r"\['back', 'there'\] undo each other"):
        rewrite(graph(v, v.exp()))


def test_without_rules_nothing_changes() -> None:
    v = x()
    y = v.exp() * np.pi
    assert rewrite(graph(v, y)).outputs[0][1] is y
