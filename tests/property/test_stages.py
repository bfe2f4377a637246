"""Every stage gives the same numbers: ONNX's reference, the graph as loaded, after each pass, native code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sardonyx
from sardonyx import passes
from sardonyx.base.knobs import CompileOptions
from sardonyx.frontend import specialise
from sardonyx.fuse.partition import partition
from sardonyx.fuse.run import run as run_fusion
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.widen import widen
from tests.property.models import FLOATS, INTEGERS, OPEN_SIZES, Model, models
from tests.property.operators.draw import HALF
from tests.property.operators.judges import wide
from tests.tolerance import difference
from tests.unit.passes.graphs import GOAL

# Eight operators of roundings in a row, each over at most a few thousand terms.
LENGTH = 10_000
# Sums are single precision; of half precision are the values between kernels.
LENGTH_OF_HALF = 100
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
MAIN = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=CHECKS)
LONG = settings(max_examples=1000, deadline=None, suppress_health_check=CHECKS)


def check(model: Model) -> None:
    expected = wide(model.proto, model.feeds, list(model.feeds.values()))
    loaded, _ = specialise(model.data, model.feeds, CompileOptions())
    graph, feeds = loaded.graph, [model.feeds[info.name] for info in loaded.inputs]
    if model.dtype in HALF:
        graph = widen(graph, GOAL)
    agree("as loaded", run(graph, feeds), expected)
    nodes = named(graph)
    for run_pass in passes.PIPELINE:
        graph = run_pass(graph, GOAL)
        verify(graph)
        assert named(graph) <= nodes, f"after {run_pass.__name__}: names of no node"
        agree(f"after {run_pass.__name__}", run(graph, feeds), expected)
    agree("partitioned", run_fusion(partition(graph), feeds), expected)
    session = sardonyx.InferenceSession(model.data)
    agree("native", session.run(None, model.feeds), expected)


def named(graph: Graph) -> set[str]:
    """The nodes that values come from; every one that is computed comes from some."""
    computed = [value for value in graph.order() if value.kind != "source"]
    bare = [value for value in computed if not value.origins]
    assert not bare, f"from no node: {bare}"
    return {node for value in computed for node in value.origins}


def agree(stage: str, outputs: list[Any], expected: list[Any]) -> None:
    for number, (actual, value) in enumerate(zip(outputs, expected, strict=True)):
        length = LENGTH_OF_HALF if value.dtype in HALF else LENGTH
        wrong = difference(np.asarray(actual), np.asarray(value), length)
        assert wrong is None, f"{stage}, output {number}: {wrong}"


@MAIN
@given(models(FLOATS + INTEGERS))
def test_stages_agree(model: Model) -> None:
    check(model)


@pytest.mark.slow
@LONG
@given(models(FLOATS + INTEGERS))
def test_stages_agree_on_many_models(model: Model) -> None:
    check(model)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(models(), st.data())
def test_one_program_serves_every_size(model: Model, data: st.DataObject) -> None:
    session = sardonyx.InferenceSession(model.data)
    for _ in range(data.draw(st.integers(2, 3))):
        sizes = {symbol: data.draw(st.integers(model.least_size, 40)) for symbol in OPEN_SIZES}
        feeds = model.resized(sizes)
        expected = wide(model.proto, feeds, list(feeds.values()))
        agree(str(sizes), session.run(None, feeds), expected)
