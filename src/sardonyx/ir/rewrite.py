"""Rewrite rules: small laws filed under the primitive they look at, applied bottom-up until none fits."""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.errors import CompileError
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value

Uses = Callable[[Value], int]
Rule = Callable[[Value, Uses], Value | None]
Change = Callable[[Value, tuple[Value, ...], Uses], Value]
_rules: dict[str, list[Rule]] = {}
_MOST_STEPS = 64


def rule(*prims: str) -> Callable[[Rule], Rule]:
    """File a rule under primitives; it returns the new value, or None if it does not apply."""

    def add(function: Rule) -> Rule:
        for prim in prims:
            _rules.setdefault(prim, []).append(function)
        return function

    return add


def rewrite(graph: Graph) -> Graph:
    """The graph after all rules, each value rewritten until none applies.

    Raises CompileError naming the rules if two of them undo each other.
    """

    def change(value: Value, args: tuple[Value, ...], uses: Uses) -> Value:
        current = rebuild(value, args)
        names = []
        for _ in range(_MOST_STEPS):
            fired = _apply(current, uses)
            if fired is None:
                break
            current, name = fired
            names.append(name)
        else:
            raise CompileError(f"rules {sorted(set(names))} undo each other at {value!r}")
        return current

    return map_counted(graph, change, of_new=1)


def map_counted(graph: Graph, change: Change, of_new: int = 0) -> Graph:
    """`graph.map`, whose `change` is told how often a value is used, by nodes and as an output.

    That of what a value became is its own; what is made beside counts as used `of_new` times.
    """
    counts = {value_id: len(users) for value_id, users in graph.uses().items()}
    for _, value in graph.outputs:
        counts[value.id] = counts.get(value.id, 0) + 1
    origin: dict[int, int] = {}

    def uses(value: Value) -> int:
        return counts.get(origin.get(value.id, value.id), of_new)

    def changed(value: Value, args: tuple[Value, ...]) -> Value:
        became = change(value, args, uses)
        origin.setdefault(became.id, value.id)
        return became

    return graph.map(changed)


def _apply(value: Value, uses: Uses) -> tuple[Value, str] | None:
    for function in _rules.get(value.prim, ()):
        result = function(value, uses)
        if result is not None and result is not value:
            return result, function.__name__
    return None
