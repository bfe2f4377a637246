"""Half precision in single precision; small integers on float kernels, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.run import run
from sardonyx.passes.integer_products import integer_products
from sardonyx.passes.widen import widen
from sardonyx.targets import reference
from tests.unit.passes.graphs import GOAL, parse

PLAIN = Goal(reference.FAMILY.targets[0])
"""A machine whose tiles take no integers."""


def test_half_precision_graph_is_closer_to_float64_when_widened(rng: np.random.Generator) -> None:
    w = rng.standard_normal((64, 64)).astype(np.float16)
    body = "g (float16[N,64] x) => (float16[N,64] y) { a = MatMul(x, w) b = MatMul(a, w) y = Tanh(b) }"
    graph = parse(body, w=w / np.float16(8))
    x = rng.standard_normal((5, 64)).astype(np.float16)
    wide = widen(graph, GOAL)
    assert all(v.dtype is dt.F32 for v in wide.order() if v.kind == "contract")
    (narrow,), (result,) = run(graph, [x]), run(wide, [x])
    weights = (w / np.float16(8)).astype(np.float64)
    exact = np.tanh(x.astype(np.float64) @ weights @ weights)
    assert result.dtype == np.float16
    assert np.abs(result - exact).max() <= np.abs(narrow - exact).max()


@pytest.mark.parametrize("depth", [1, 100, 258, 259, 700])
@pytest.mark.parametrize("signed", [False, True])
def test_integer_products_are_exact(rng: np.random.Generator, depth: int, signed: bool) -> None:
    kind, low, high = ("int8", -128, 128) if signed else ("uint8", 0, 256)
    w = rng.integers(low, high, (depth, 9)).astype(kind)
    graph = parse(
        f"g (uint8[N,{depth}] x, uint8 z) => (int32[N,9] y) {{ y = MatMulInteger(x, w, z) }}",
        w=w,
    )
    x = rng.choice(np.array([0, 255], np.uint8), (6, depth))
    changed = integer_products(graph, PLAIN)
    assert any(v.prim == "dot" and v.dtype is dt.F32 for v in changed.order())
    zero = np.array(255, np.uint8)
    exact = (x.astype(np.int64) - 255) @ w.astype(np.int64)
    assert np.array_equal(run(changed, [x, zero])[0], exact)


def test_integer_convolution_is_exact(rng: np.random.Generator) -> None:
    w = rng.integers(0, 256, (5, 40, 3, 3)).astype(np.uint8)
    graph = parse(
        "g (uint8[N,40,H,W] x, uint8 z) => (int32[N,5,P,Q] y) "
        "{ y = ConvInteger <pads = [1,1,1,1]> (x, w, z) }",
        w=w,
    )
    x = rng.integers(0, 256, (2, 40, 5, 6)).astype(np.uint8)
    zero = np.array(7, np.uint8)
    assert np.array_equal(run(integer_products(graph, PLAIN), [x, zero])[0], run(graph, [x, zero])[0])
