"""Zeros around an image are not stored where most taps meet nothing else; sums stay those of float64."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value
from sardonyx.passes import PIPELINE
from sardonyx.passes.blocking import blocking
from sardonyx.passes.far_taps import missing_zeros
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import programs_of
from tests.unit.passes.graphs import GOAL, check, parse

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def dilated(
    size: object, apart: int, window: int = 3, *, pad: int | None = None, like: float = 1, more: str = ""
) -> Graph:
    w = np.random.default_rng(0).standard_normal((20, 32, window, window)).astype(np.float32)
    w[0, 0, 0, 0] = like
    pads = [apart * (window // 2) if pad is None else pad] * 4
    body = f"Conv<pads = {pads}, dilations = {[apart] * 2}{more}>(a, w)"
    return parse(f"g (float[2,32,{size}] x) => (float[2,20,P,Q] y) {{ a = Relu(x) y = {body} }}", w=w)


def convolution(graph: Graph, goal: Goal = GOAL) -> Value:
    (found,) = (v for v in blocking(graph, goal).order() if v.prim == "conv_blocked")
    return found


@pytest.mark.parametrize(
    ("size", "apart"), [("4,4", 6), ("4,4", 12), ("33,33", 24), ("9,30", 16), ("33,33", 36), ("1,1", 2)]
)
def test_zeros_are_missing(size: str, apart: int) -> None:
    graph = dilated(size, apart)
    x = np.random.default_rng(1).standard_normal((2, 32, *map(int, size.split(",")))).astype(np.float32)
    check(blocking, graph, x, length=288)
    found, wide = convolution(graph), int(size.split(",")[1])
    assert found.attrs["missing"] == (apart, 0 if apart < wide else apart)
    high, across = (n + 2 * (apart - m) for n, m in zip(x.shape[2:], found.attrs["missing"], strict=True))
    assert found.args[0].shape[2:4] == (high, across)


@pytest.mark.parametrize(
    "graph",
    [
        dilated("65,65", 12),
        dilated("28,28", 2),
        dilated("9,9", 1),
        dilated("9,9", 12, 1),
        dilated("4,4", 12, 5),
        dilated("30,30", 12, pad=10),
        dilated("30,30", 24, more=", strides = [2, 2]"),
        dilated("4,4", 12, like=np.inf),
    ],
    ids=["transformed", "near", "beside each other", "one", "more", "cropped", "steps", "infinite"],
)
def test_zeros_are_stored(graph: Graph) -> None:
    (conv,) = (v for v in graph.order() if v.prim == "conv")
    assert missing_zeros(conv, GOAL) == (0, 0)
    assert "missing" not in convolution(graph).attrs


def test_registers_may_multiply_what_is_transformed() -> None:
    graph = dilated("33,33", 24)
    tile = next(row for row in isa.V4.matrices if row.operand == "f32")
    assert "missing" in convolution(graph, Goal(isa.V4)).attrs
    assert "missing" not in convolution(graph, Goal(isa.with_features(isa.V4, tile.features))).attrs
    assert "missing" in convolution(dilated("30,30", 4), Goal(isa.V4, Policy(precision="strict"))).attrs


@TARGETS
@pytest.mark.parametrize("precision", ["fp32", "strict"])
@pytest.mark.parametrize("apart", [17, 30])
def test_sizes_that_a_feed_tells(
    target: Target, precision: Any, apart: int, rng: np.random.Generator
) -> None:
    graph = parse(
        "g (float[N,32,H,W] x) => (float[N,20,P,Q] y) { a = MaxPool<kernel_shape = [9,9], strides = [9,9]>(x)"
        f" y = Conv<pads = {[apart] * 4}, dilations = {[apart] * 2}>(a, w) }}",
        w=rng.standard_normal((20, 32, 3, 3)).astype(np.float32),
    )
    goal = Goal(target, Policy(precision=precision))
    assert "missing" in convolution(graph, goal).attrs
    changed = reduce(lambda g, change: change(g, goal), PIPELINE, graph)
    program = programs_of(changed, target, goal.policy)
    for high, wide in ((1, 1), (4, 4), (5, 6), (7, 3), (18, 16), (17, 20), (3, 37)):
        feed = [rng.standard_normal((2, 32, 9 * high + 8, 9 * wide)).astype(np.float32)]
        (expected,) = run(graph, feed)
        for threads in (1, 3):
            assert_close(program(threads).run(feed, range(1))[0], expected, 288)
