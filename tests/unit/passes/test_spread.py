"""Maps behind a transposed convolution are computed before its phases are spread over pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make, map_
from sardonyx.passes.blocking import blocking
from sardonyx.passes.spread import spread_last
from tests.unit.kernels.compiled import graph_of
from tests.unit.passes.graphs import GOAL

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 20, 5, 7)).astype(np.float32)
OUTPUTS = 24


def channels(*size: int) -> Value:
    return const(RNG.standard_normal(size).astype(np.float32))


def transposed(x: Value, stride: tuple[int, int]) -> Value:
    n, inputs, high, wide = x.shape
    w = channels(inputs, OUTPUTS, *stride)  # type: ignore[arg-type]
    out = (high * stride[0], wide * stride[1])
    attrs = {"strides": stride, "dilations": (1, 1), "low": (0, 0), "out": out, "group": 1}
    return make("conv_transpose", (x, w), attrs, x.dtype, (n, OUTPUTS, *out))


def graphs(end: Callable[[Value], Sequence[Value]], stride: tuple[int, int] = (2, 2)) -> tuple[Graph, Graph]:
    """A graph with that end of a transposed convolution, in blocked layout: before the pass and behind it."""
    before = blocking(graph_of(lambda v: list(end(transposed(v, stride))), [X]), GOAL)
    return before, spread_last(before, GOAL)


def maps_behind(graph: Graph) -> list[str]:
    """The maps of what is spread already, from the input on."""
    found: set[int] = set()
    names = []
    for value in graph.order():
        is_behind = any(arg.id in found for arg in value.args)
        if is_behind or (value.prim == "transpose" and len(value.attrs["perm"]) == 7):
            found.add(value.id)
        if is_behind and value.kind == "map":
            names.append(value.prim)
    return names


def check(end: Callable[[Value], Sequence[Value]], *left: str, **how: Any) -> None:
    """Those maps alone stay behind, and results stay what they were."""
    before, after = graphs(end, **how)
    assert maps_behind(after) == list(left)
    for got, expected in zip(run(after, [X]), run(before, [X]), strict=True):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("stride", [(2, 2), (1, 3), (4, 2)])
def test_numbers_for_all_and_for_each_channel(stride: tuple[int, int]) -> None:
    bias, scale = channels(1, OUTPUTS, 1, 1), channels(1, OUTPUTS, 1, 1)
    check(lambda y: [((y + bias) * scale).max(0).min(6)], stride=stride)
    check(lambda y: [(y * 0.5 + bias).sigmoid()], stride=stride)
    check(lambda y: [bias - y], stride=stride)


def test_what_depends_on_where_a_pixel_is_stays_behind() -> None:
    lines = channels(1, 1, 10, 1)
    check(lambda y: [(y.max(0) + lines).min(1)], "add", "min")
    check(lambda y: [y * y], "mul")


def test_what_others_read_too_stays_behind() -> None:
    def end(y: Value) -> list[Value]:
        return [y.max(0), map_("exp", y)]

    check(end, "max", "exp")
