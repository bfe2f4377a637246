"""Maxima of dequantised numbers are maxima of points, of the same bits, where every window sees one."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.kept_points import kept_points
from tests.unit.passes.graphs import GOAL, parse


def pooled(attributes: str, point: type = np.uint8, scale: float = 0.3, again: float = 0.3) -> Graph:
    name = np.dtype(point).name
    return parse(
        f"g ({name}[N,3,H,W] x) => ({name}[N,3,A,B] y) {{ r = DequantizeLinear(x, s, z)"
        f" m = MaxPool<{attributes}>(r) y = QuantizeLinear(m, t, z) }}",
        s=np.float32(scale).reshape(()),
        t=np.float32(again).reshape(()),
        z=np.array(7, point),
    )


def kept(graph: Graph, point: type = np.uint8, size: tuple[int, int] = (9, 8)) -> tuple[bool, bool]:
    """Whether points are pooled, and whether they are no longer rounded; results are the same bits."""
    changed = kept_points(graph, GOAL)
    verify(changed)
    bounds = np.iinfo(point)
    x = np.random.default_rng(0).integers(bounds.min, bounds.max + 1, (2, 3, *size)).astype(point)
    x[:, 0] = bounds.min
    for before, after in zip(run(graph, [x]), run(changed, [x]), strict=True):
        assert np.array_equal(before, after)
    types = [v.dtype.name for v in changed.order() if v.prim == "rmax"]
    return types == [np.dtype(point).name.replace("uint", "u").replace("int", "i")], not any(
        v.prim == "round" for v in changed.order()
    )


def test_points_are_pooled() -> None:
    assert kept(pooled("kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]")) == (True, True)
    assert kept(pooled("kernel_shape=[2, 2], strides=[2, 2]")) == (True, True)
    assert kept(pooled("kernel_shape=[2, 2]", np.int8), np.int8) == (True, False)


def test_other_scales_are_rounded_again() -> None:
    assert kept(pooled("kernel_shape=[2, 2]", again=0.31)) == (True, False)


@pytest.mark.parametrize(
    ("attributes", "scale"),
    [
        ("kernel_shape=[2, 2], pads=[1, 1, 1, 1]", 0.3),
        ("kernel_shape=[3, 3], pads=[1, 1, 1, 1], dilations=[2, 2]", 0.3),
        ("kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1", 0.3),
        ("kernel_shape=[2, 2]", -0.3),
        ("kernel_shape=[2, 2]", 1e-40),
    ],
)
def test_windows_of_no_number_and_other_scales_are_left(attributes: str, scale: float) -> None:
    assert not kept(pooled(attributes, scale=scale))[0]


def test_what_is_quantised_as_it_was_is_what_it_was() -> None:
    graph = parse(
        "g (uint8[N,6] x) => (uint8[N,2,3] y) { r = DequantizeLinear(x, s, z) v = Reshape(r, n)"
        " y = QuantizeLinear(v, s, z) }",
        s=np.float32(0.1).reshape(()),
        z=np.array(128, np.uint8),
        n=np.array([-1, 2, 3]),
    )
    changed = kept_points(graph, GOAL)
    x = np.arange(256, dtype=np.uint8)[:252].reshape(42, 6)
    (before,), (after,) = run(graph, [x]), run(changed, [x])
    assert np.array_equal(before, after)
    assert [v.prim for v in changed.order()] == ["input", "reshape"]
