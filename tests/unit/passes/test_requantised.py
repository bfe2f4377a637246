"""Quotients that are rounded join the factors of what they divide; points stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.graph import Graph
from sardonyx.passes.requantised import requantised
from sardonyx.targets.x86_64 import isa
from tests.unit.passes.graphs import GOAL, check, parse, prims

SCALES = {
    "sx": np.array(0.02, np.float32),
    "zx": np.array(3, np.uint8),
    "sr": np.array(0.05, np.float32),
    "sy": np.array(0.31, np.float32),
    "zy": np.array(5, np.uint8),
}
RESIDUAL = (
    "g (uint8[N,8] x, uint8[N,8] r) => (uint8[N,8] y) "
    "{ a = DequantizeLinear(x, sx, zx) m = Mul(a, w) b = Add(m, c) d = DequantizeLinear(r, sr, zx) "
    "s = Add(b, d) t = Relu(s) y = QuantizeLinear(t, sy, zy) }"
)


def residual(rng: np.random.Generator) -> Graph:
    w, c = rng.random(8).astype(np.float32) + 0.5, rng.standard_normal(8).astype(np.float32)
    return parse(RESIDUAL, w=w, c=c, **SCALES)


def test_a_quotient_joins_all_terms_of_a_sum_and_its_limits(rng: np.random.Generator) -> None:
    graph = residual(rng)
    points = [rng.integers(0, 256, (50, 8)).astype(np.uint8) for _ in range(2)]
    assert prims(graph).count("div") == 1
    changed = check(requantised, graph, *points)
    assert "div" not in prims(changed)
    assert prims(changed).count("mul") == prims(graph).count("mul")


def test_each_term_keeps_its_node(rng: np.random.Generator) -> None:
    graph = residual(rng)
    before = {v.prim: v.origins for v in graph.order() if v.prim in ("mul", "add", "max")}
    changed = requantised(graph, GOAL)
    named = [(v.prim, v.origins) for v in changed.order() if v.prim in before]
    assert set(named) == {(v.prim, v.origins) for v in graph.order() if v.prim in before}
    (quotient,) = (v for v in graph.order() if v.prim == "round")
    (rounded,) = (v for v in changed.order() if v.prim == "round")
    assert rounded.origins == quotient.origins


def test_strict_divides(rng: np.random.Generator) -> None:
    graph = residual(rng)
    assert prims(requantised(graph, Goal(isa.V3, Policy("strict")))) == prims(graph)


@pytest.mark.parametrize(
    "body",
    [
        "g (float[N,8] x) => (uint8[N,8] y) { y = QuantizeLinear(x, sy, zy) }",
        "g (float[N,8] x) => (float[N,8] y) { m = Mul(x, w) y = Div(m, sy) }",
        "g (float[N,8] x) => (uint8[N,8] y, float[N,8] m) { m = Mul(x, w) y = QuantizeLinear(m, sy, zy) }",
        "g (float[N,8] x, float[8] v) => (uint8[N,8] y) { m = Mul(x, v) y = QuantizeLinear(m, sy, zy) }",
        "g (float[N,8] x) => (uint8[N,8] y) { m = Mul(x, w) e = Exp(m) y = QuantizeLinear(e, sy, zy) }",
        "g (float[N,8] x) => (uint8[N,8] y) { m = Mul(x, w) y = QuantizeLinear(m, tiny, zy) }",
    ],
    ids=["no factor", "not rounded", "read twice", "no constant", "a function between", "very small"],
)
def test_other_quotients_are_left_alone(body: str, rng: np.random.Generator) -> None:
    w = rng.random(8).astype(np.float32) + 0.5
    graph = parse(body, w=w, tiny=np.array(1e-35, np.float32), **SCALES)
    assert "div" in prims(requantised(graph, Goal(isa.V3)))
