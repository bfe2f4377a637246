"""Taps that meet padding alone are left out: the same numbers, and fewer weights."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.graph import Graph
from sardonyx.passes.dequantised import dequantised
from sardonyx.passes.unreached import unreached
from tests.unit.passes.graphs import GOAL, check, parse


def convolved(rng: np.random.Generator, size: str, attributes: str, *kernel: int, like: float = 1.0) -> Graph:
    w = rng.standard_normal((6, 4, *kernel)).astype(np.float32)
    w.flat[0] = like
    sizes = ",".join("PQR"[: len(kernel)])
    return parse(
        f"g (float[2,4,{size}] x) => (float[2,6,{sizes}] y) {{ y = Conv <{attributes}> (x, w) }}", w=w
    )


def window_of(graph: Graph) -> tuple[object, ...]:
    """The window of the only convolution."""
    (found,) = (v for v in graph.order() if v.prim == "conv")
    return tuple(found.args[1].shape[2:])


@pytest.mark.parametrize(
    ("size", "attributes", "kernel", "left"),
    [
        ("1,1", "pads = [1,1,1,1]", (3, 3), (1, 1)),
        ("1,1", "pads = [1,1,1,1], strides = [2,2]", (3, 3), (1, 1)),
        ("2,2", "pads = [1,1,1,1], strides = [2,2]", (3, 3), (2, 2)),
        ("1,9", "pads = [1,1,1,1]", (3, 3), (1, 3)),
        ("2,3", "pads = [3,3,3,3]", (7, 7), (3, 5)),
        ("8,8", "pads = [12,12,12,12], dilations = [12,12]", (3, 3), (1, 1)),
        ("8,14", "pads = [12,12,12,12], dilations = [12,12]", (3, 3), (1, 3)),
        ("2,2", "pads = [0,3,2,0]", (2, 4), (2, 2)),
        ("4,4", "pads = [1,1,1,1]", (3, 3), (3, 3)),
        ("5,2", "pads = [0,4,0,0], strides = [1,3]", (1, 6), (1, 2)),
        ("1", "pads = [2,2]", (5,), (1,)),
        ("2,1,2", "pads = [1,1,1,1,1,1]", (3, 3, 3), (3, 1, 3)),
    ],
)
def test_numbers_stay_and_weights_are_fewer(
    rng: np.random.Generator, size: str, attributes: str, kernel: tuple[int, ...], left: tuple[int, ...]
) -> None:
    graph = convolved(rng, size, attributes, *kernel)
    x = rng.standard_normal((2, 4, *map(int, size.split(",")))).astype(np.float32)
    assert window_of(check(unreached, graph, x, length=200)) == left


def test_groups_and_integers_too(rng: np.random.Generator) -> None:
    graph = parse(
        "g (uint8[1,4,1,2] x) => (int32[1,6,P,Q] y)"
        " { y = ConvInteger <pads = [1,2,1,2], group = 2> (x, w, zero) }",
        w=rng.integers(-9, 9, (6, 2, 3, 5)).astype(np.int8),
        zero=np.array(7, np.uint8),
    )
    x = rng.integers(0, 255, (1, 4, 1, 2)).astype(np.uint8)
    changed = check(lambda g, goal: unreached(dequantised(g, goal), goal), graph, x)
    assert window_of(changed) == (1, 3)


def test_what_is_not_known_or_not_finite_is_left_alone(rng: np.random.Generator) -> None:
    pads = "pads = [1,1,1,1]"
    for graph in (
        convolved(rng, "H,W", pads, 3, 3),
        convolved(rng, "1,1", pads, 3, 3, like=np.inf),
        convolved(rng, "1,1", "pads = [2,2,0,0], dilations = [2,2]", 3, 3, like=np.nan),
        convolved(rng, "0,4", pads, 3, 3),
    ):
        assert unreached(graph, GOAL) is graph


@pytest.mark.parametrize("pads", [2**40, 2**61])
def test_what_is_far_outside_is_not_counted_pixel_by_pixel(rng: np.random.Generator, pads: int) -> None:
    graph = convolved(rng, "1,2", f"pads = [{pads},{pads},{pads},{pads}], strides = [{pads},{pads}]", 3, 3)
    assert window_of(unreached(graph, GOAL)) == (1, 2)
