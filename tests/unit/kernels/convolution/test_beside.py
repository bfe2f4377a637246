"""Panels of a few columns: which convolutions have one, and results as those of sums over single steps."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.convolution.beside import together_of
from sardonyx.passes import PIPELINE
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import native
from tests.unit.passes.graphs import parse

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def blocked(outputs: int, channels: int = 32, pixels: int = 49, **attrs: object) -> Value:
    """A pointwise convolution in blocked layout, on vectors of 16."""
    x = placeholder("x", dt.F32, (1, -(-channels // 16), 1, pixels, 16))
    w = const(np.ones((outputs, channels, 1, 1), np.float32))
    usual = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "channels": outputs, "block": 16}
    return make("conv_blocked", (x, w), {**usual, **attrs}, dt.F32, (1, -(-outputs // 16), 1, pixels, 16))


def test_the_last_panel_has_a_few_columns() -> None:
    goal = Goal(isa.V4)
    found = [together_of(blocked(n), goal) for n in (32, 33, 34, 36, 40, 41, 48, 8)]
    assert found == [1, 16, 8, 4, 2, 1, 1, 2]
    assert together_of(blocked(48, used=34), goal) == 8
    assert together_of(blocked(136), goal) == 1, "half of one vector of nine is little"
    assert together_of(blocked(34, channels=8), goal) == 1, "adding lanes takes as long"
    assert together_of(blocked(34, pixels=1), goal) == 1, "a single row has micro-kernels of its own"


@TARGETS
def test_shuffled_groups_give_the_same(target: Target, rng: np.random.Generator) -> None:
    def weights(outputs: int, inputs: int) -> np.ndarray:
        return rng.standard_normal((outputs, inputs, 1, 1)).astype(np.float32)

    graph = parse(
        "g (float[2,68,5,6] x) => (float[2,68,5,6] y) {"
        " c = Conv <group = 2> (x, a, bias) s = Reshape(c, apart) t = Transpose <perm = [0,2,1,3,4]> (s)"
        " r = Reshape(t, joined) d = Conv <group = 2> (r, b) e = Add(d, x) y = Relu(e) }",
        a=weights(68, 34),
        b=weights(68, 34),
        bias=rng.standard_normal(68).astype(np.float32),
        apart=np.array([2, 2, 34, 5, 6]),
        joined=np.array([2, 68, 5, 6]),
    )
    feed = rng.standard_normal((2, 68, 5, 6)).astype(np.float32)
    feed[0, 3, 2, 2], feed[1, 40, 0, 5] = np.inf, np.nan
    changed = reduce(lambda g, change: change(g, Goal(target)), PIPELINE, graph)
    for one, other in zip(native(changed, target, [feed]), run(graph, [feed]), strict=True):
        assert_close(one, other, 68)


@TARGETS
def test_taps_and_strips_give_the_same(target: Target, rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[1,20,17,19] x) => (float[1,36,15,17] y) {"
        " c = Conv <pads = [1,1,1,1]> (x, a) d = Relu(c) e = Conv(d, b)"
        " f = Relu(e) y = Conv <group = 36> (f, w) }",
        a=rng.standard_normal((36, 20, 3, 3)).astype(np.float32),
        b=rng.standard_normal((36, 36, 1, 1)).astype(np.float32),
        w=rng.standard_normal((36, 1, 3, 3)).astype(np.float32),
    )
    feed = rng.standard_normal((1, 20, 17, 19)).astype(np.float32)
    changed = reduce(lambda g, change: change(g, Goal(target)), PIPELINE, graph)
    for one, other in zip(native(changed, target, [feed]), run(graph, [feed]), strict=True):
        assert_close(one, other, 400)
