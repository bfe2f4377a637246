"""Which convolutions are joined with the windows that read them, and that numbers stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.fuse import run
from sardonyx.fuse.partition import partition
from sardonyx.fuse.windowed import with_windowed
from sardonyx.ir.run import run as evaluate
from sardonyx.targets.x86_64 import isa
from tests.tolerance import assert_close
from tests.unit.kernels.windowed.followed import DEPTHWISE, POOL, graph_of, windowed
from tests.unit.passes.graphs import parse


@pytest.mark.parametrize(
    ("how", "then", "kinds"),
    [
        ("pads = [1,1,1,1]", DEPTHWISE, ["contract", "padding", "loops"]),
        ("strides = [2,2]", DEPTHWISE, ["contract", "loops"]),
        ("pads = [1,1,1,1]", POOL, ["contract", "padding", "loops"]),
    ],
)
def test_parts(how: str, then: str, kinds: list[str]) -> None:
    graph = graph_of(isa.V4, how, then=then)
    fusion, (group,) = windowed(graph)
    assert [part.kind for part in group.parts] == kinds
    assert not set(group.parts) & set(fusion.groups)
    feed = np.random.default_rng(1).standard_normal((1, 16, 20, 20)).astype(np.float32)
    (one,), (other,) = run.run(fusion, [feed]), evaluate(graph, [feed])
    assert_close(one, other, 16)


def test_what_is_joined_is_found_once() -> None:
    graph = graph_of(isa.V4, "pads = [1,1,1,1]")
    fusion = partition(graph)
    assert with_windowed(graph, fusion.groups, fusion.places) == list(fusion.groups)


@pytest.mark.parametrize(
    "then",
    [
        "d = Conv<{how}, group = {group}>(c, v) e = Add(d, c)",
        "d = GlobalAveragePool(c) e = Clip(d, lo, hi)",
        "e = Tanh(c)",
        "m = Neg(v) d = Conv<{how}, group = {group}>(c, v) u = Conv<{how}, group = {group}>(c, m) "
        "f = Conv<{how}, group = {group}>(d, v) e = Add(f, u)",
    ],
    ids=["read twice", "no windows", "no windows at all", "windows read twice"],
)
def test_others_stay_apart(then: str) -> None:
    assert not windowed(graph_of(isa.V4, "pads = [1,1,1,1]", then=then))[1]


def test_plain_pads_are_not_those_of_blocks() -> None:
    text = "g (float[1,1,1,5] x) => (float[1,1,1,5] y) { y = MaxPool<kernel_shape=[1,3], pads=[0,1,0,1]>(x) }"
    graph = parse(text)
    fusion = partition(graph)
    assert with_windowed(graph, fusion.groups, fusion.places) == list(fusion.groups)
