"""Formulas of values over constants, as the numbers they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx.ir.data_size import collect_data_sizes
from sardonyx.ir.graph import Graph
from sardonyx.ir.premise import collect_premises
from sardonyx.ir.run import run
from sardonyx.ir.value import Value
from sardonyx.ops.subgraph import closed_graph

Array = np.ndarray[Any, Any]


def computed(*values: Value) -> list[Array]:
    """What values over constants are."""
    return _run(Graph((), _named(values)))


def built(formula: Callable[[], Sequence[Value]]) -> list[Array]:
    """What a formula over constants gives, which may have sizes that depend on numbers."""
    with collect_data_sizes() as data_sizes, collect_premises() as noted:
        values = formula()
    return _run(closed_graph((), _named(values), data_sizes, noted.values()))


def _named(values: Sequence[Value]) -> tuple[tuple[str, Value], ...]:
    return tuple((f"y{n}", value) for n, value in enumerate(values))


def _run(graph: Graph) -> list[Array]:
    return [np.asarray(array) for array in run(graph, [])]
