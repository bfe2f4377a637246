"""Which norms are joined with the convolutions that read them, and that numbers stay the same."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.fuse import run
from sardonyx.fuse.normed import with_normed
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run as evaluate
from sardonyx.passes import PIPELINE
from sardonyx.targets.x86_64 import isa
from tests.tolerance import assert_close
from tests.unit.passes.graphs import parse


def graph_of(then: str, taps: int = 1) -> Graph:
    """A convolution, a norm of its channels, and what reads that."""
    rng = np.random.default_rng(0)
    sizes = {"u": (32, 16, 1, 1), "s": (32, 1, 1), "t": (32, 1, 1), "v": (48, 32, taps, taps)}
    weights = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    nodes = f"p = Conv(x, u) m = Mul(p, s) n = Add(m, t) r = Relu(n) {then}"
    text = f"g (float[1,16,8,8] x) => (float[1,32,8,8] p, float[n,c,h,w] y) {{ {nodes} }}"
    return reduce(lambda g, change: change(g, Goal(isa.V4)), PIPELINE, parse(text, **weights))


@pytest.mark.parametrize(
    ("then", "kinds"),
    [
        ("y = Conv(r, v)", ["loops", "contract"]),
        (
            "c = Conv(r, v) y = MaxPool<kernel_shape = [3,3], strides = [2,2]>(c)",
            ["loops", "contract", "loops"],
        ),
    ],
    ids=["alone", "with windows"],
)
def test_parts(then: str, kinds: list[str]) -> None:
    graph = graph_of(then)
    fusion = partition(graph)
    (group,) = (group for group in fusion.groups if group.kind == "normed")
    assert [part.kind for part in group.parts] == kinds
    assert not set(group.parts) & set(fusion.groups)
    assert with_normed(graph, fusion.groups, fusion.places) == list(fusion.groups)
    feed = np.random.default_rng(1).standard_normal((1, 16, 8, 8)).astype(np.float32)
    for one, other in zip(run.run(fusion, [feed]), evaluate(graph, [feed]), strict=True):
        assert_close(one, other, 32)


@pytest.mark.parametrize(
    ("then", "taps"),
    [("y = Conv(r, v)", 3), ("c = Conv(r, v) d = Tanh(r) e = Conv(d, v) y = Add(c, e)", 1)],
    ids=["taps", "read twice"],
)
def test_others_stay_apart(then: str, taps: int) -> None:
    fusion = partition(graph_of(then, taps))
    assert all(group.kind != "normed" for group in fusion.groups)
