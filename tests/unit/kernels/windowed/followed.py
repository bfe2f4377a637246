"""Convolutions that windows follow, as graphs, for tests."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion, Group
from sardonyx.passes import PIPELINE
from tests.unit.passes.graphs import parse

DEPTHWISE = "d = Conv<{how}, group = {group}>(c, v) e = Clip(d, lo, hi)"
POOL = "e = MaxPool<kernel_shape = [3, 3], {how}>(c)"


def graph_of(
    target: Target,
    how: str,
    shape: tuple[Any, ...] = (1, 16, 20, 20),
    channels: int = 40,
    then: str = DEPTHWISE,
    first: str = "a = Conv(x, w, b) c = Relu(a)",
    window: tuple[int, int] = (3, 3),
    taps: tuple[int, int] = (1, 1),
    inner: int = 0,
) -> Graph:
    """A convolution of some channels, and what slides windows over it."""
    rng = np.random.default_rng(0)
    nodes = f"{first} {then} y = Conv(e, o)".format(how=how, group=channels)
    sizes = ",".join(map(str, shape))
    weights: dict[str, np.ndarray[Any, Any]] = {
        "w": rng.standard_normal((channels, inner or shape[1], *taps)),
        "b": rng.standard_normal(channels),
        "v": rng.standard_normal((channels, 1, *window)),
        "o": rng.standard_normal((24, channels, 1, 1)),
        "lo": np.array(-1),
        "hi": np.array(2),
    }
    graph = parse(
        f"g (float[{sizes}] x) => (float[n,c,h,w] y) {{ {nodes} }}",
        **{name: weight.astype(np.float32) for name, weight in weights.items()},
    )
    return reduce(lambda g, change: change(g, Goal(target)), PIPELINE, graph)


def windowed(graph: Graph) -> tuple[Fusion, list[Group]]:
    """What a graph is partitioned into, and the groups that are a convolution and its windows."""
    fusion = partition(graph)
    return fusion, [group for group in fusion.groups if group.kind == "windowed"]
