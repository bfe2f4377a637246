"""Small graphs written as ONNX text, and the check that a pass keeps their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from sardonyx.base.policy import Goal
from sardonyx.frontend import load
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.targets.x86_64 import isa
from tests.tolerance import assert_close

GOAL = Goal(isa.V3)


def parse(body: str, opset: int = 20, **constants: np.ndarray[Any, Any]) -> Graph:
    """The graph of `g (inputs) => (outputs) { nodes }`, with named constants as initialisers."""
    imports = f'opset_import: ["" : {opset}, "com.microsoft" : 1]'
    model = onnx.parser.parse_model(f"<ir_version: 10, {imports}> {body}")
    for name, data in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(data, name))
    return load(model.SerializeToString()).graph


def check(
    change: Callable[[Graph, Goal], Graph], graph: Graph, *feeds: np.ndarray[Any, Any], length: int = 64
) -> Graph:
    """The graph after the pass, verified, with the same results on the feeds."""
    changed = change(graph, GOAL)
    verify(changed)
    for before, after in zip(run(graph, feeds), run(changed, feeds), strict=True):
        assert_close(after, before, length)
    return changed


def prims(graph: Graph) -> list[str]:
    """The operations of a graph in order, without sources."""
    return [v.prim for v in graph.order() if v.kind != "source"]
