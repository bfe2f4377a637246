"""Tiles with more rows where outputs fit one vector: which convolutions have them, and the same results."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.kernels.convolution.tall import is_tall
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.passes import PIPELINE
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import natives
from tests.unit.kernels.convolution.test_beside import blocked
from tests.unit.passes.graphs import parse

DIRECT = Policy(winograd="off")


def test_outputs_fit_one_vector() -> None:
    goal = Goal(isa.V4)
    assert [is_tall(blocked(n), goal) for n in (16, 9, 17, 32)] == [True, True, False, False]
    assert not is_tall(blocked(8), goal), "lanes are shared out"
    assert is_tall(blocked(8, channels=8), goal)
    assert not is_tall(blocked(16, pixels=14), goal), "one tile holds all rows"
    assert not is_tall(blocked(16), Goal(isa.V3))
    assert is_tall(blocked(8, channels=8), Goal(isa.V3))


def check(graph: Graph, feed: np.ndarray, target: Target, length: int) -> None:
    """Natively on one thread and on two it is what the meaning of the graph says, to the same bits."""
    changed = reduce(lambda g, change: change(g, Goal(target, DIRECT)), PIPELINE, graph)
    (one,), (other,) = natives(changed, target, [feed], [1, 2], DIRECT)
    assert_close(one, run(graph, [feed])[0], length)
    assert np.array_equal(one, other)


def convolved(rng: np.random.Generator, size: str, outputs: int, channels: int, end: str) -> Graph:
    taps = (outputs, channels, 3, 3)
    return parse(
        f"g (float[2,{channels},{size}] x) => (float[2,{outputs},P,Q] y) {{"
        f" c = Conv <pads = [1,1,1,1], strides = [{'2,2' if 'wide' in end else '1,1'}]> (x, a, bias)"
        f" r = {'LeakyRelu' if 'leak' in end else 'HardSwish' if 'gate' in end else 'Relu'} (c)"
        f" d = Conv (r, b) {'e = Add(d, r)' if 'add' in end else 'e = Relu(d)'} y = Sigmoid(e) }}",
        a=rng.standard_normal(taps).astype(np.float32),
        b=rng.standard_normal((outputs, outputs, 1, 1)).astype(np.float32) / 4,
        bias=rng.standard_normal(outputs).astype(np.float32),
    )


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("lines", "pixels", "end"),
    [
        *((3, 57, "leak"), (2, 28, "add"), (5, 13, "gate"), (7, 15, "add"), (9, 29, "")),
        *((5, 59, "wide leak"), (1, 87, "add"), (3, 7, "add"), (4, 5, "gate")),
    ],
)
def test_results_are_the_same(
    target: Target, lines: int, pixels: int, end: str, rng: np.random.Generator
) -> None:
    lanes = TileShape.of(Goal(target), "f32").lanes
    for channels in (3, 20):
        graph = convolved(rng, f"{lines},{pixels}", lanes, channels, end)
        feed = rng.standard_normal((2, channels, lines, pixels)).astype(np.float32)
        check(graph, feed, target, 9 * channels + 16)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
def test_cut_taps_and_groups_are_the_same(target: Target, rng: np.random.Generator) -> None:
    lanes = TileShape.of(Goal(target), "f32").lanes
    graph = parse(
        f"g (float[1,{2 * 640},4,45] x) => (float[1,{2 * lanes},P,Q] y) {{"
        " c = Conv <group = 2, pads = [0,2,0,2], strides = [1,3], kernel_shape = [3,5]> (x, a) y = Relu(c) }",
        a=rng.standard_normal((2 * lanes, 640, 3, 5)).astype(np.float32),
    )
    check(graph, rng.standard_normal((1, 2 * 640, 4, 45)).astype(np.float32), target, 640 * 15)
