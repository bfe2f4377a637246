"""Every stage gives the same numbers: ONNX's reference, the graph as loaded, after each pass, native code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import sardonyx
from sardonyx import passes
from sardonyx.base.knobs import CompileOptions
from sardonyx.frontend import load
from sardonyx.fuse.partition import partition
from sardonyx.fuse.run import run as run_fusion
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from tests.property.models import Model, models
from tests.tolerance import difference

# Six operators of roundings in a chain, each over at most a few thousand terms.
LENGTH = 10_000
MAIN = settings(max_examples=40, deadline=None, derandomize=True)
LONG = settings(max_examples=1000, deadline=None)


def check(model: Model) -> None:
    note(model.text)
    feeds = list(model.feeds.values())
    expected = np.asarray(ReferenceEvaluator(model.proto).run(None, model.feeds)[0])
    graph = load(model.data, CompileOptions()).graph
    agree("as loaded", run(graph, feeds), expected)
    for run_pass in passes.PIPELINE:
        graph = run_pass(graph)
        verify(graph)
        agree(f"after {run_pass.__name__}", run(graph, feeds), expected)
    agree("partitioned", run_fusion(partition(graph), feeds), expected)
    session = sardonyx.InferenceSession(model.data)
    agree("native", session.run(None, model.feeds), expected)


def agree(stage: str, outputs: list[Any], expected: Any) -> None:
    wrong = difference(np.asarray(outputs[0]), expected, LENGTH)
    assert wrong is None, f"{stage}: {wrong}"


@MAIN
@given(models())
def test_stages_agree(model: Model) -> None:
    check(model)


@pytest.mark.slow
@LONG
@given(st.sampled_from([np.float32, np.float64]).flatmap(models))
def test_stages_agree_on_many_models(model: Model) -> None:
    check(model)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(models(), st.lists(st.integers(1, 40), min_size=2, max_size=3))
def test_one_program_serves_every_size(model: Model, sizes: list[int]) -> None:
    note(model.text)
    session = sardonyx.InferenceSession(model.data)
    reference = ReferenceEvaluator(model.proto)
    shape = model.feeds["x"].shape
    for size in sizes:
        feeds = {"x": np.resize(model.feeds["x"], (size, *shape[1:]))}
        agree(f"N = {size}", session.run(None, feeds), np.asarray(reference.run(None, feeds)[0]))
