"""Where both operands of a contraction are dequantised, their points are multiplied, and scaled then."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.dequantised import dequantised
from sardonyx.passes.integer_products import integer_products
from sardonyx.passes.narrow import is_narrow
from sardonyx.targets import reference
from sardonyx.targets.x86_64 import isa
from tests.tolerance import assert_close
from tests.unit.passes.graphs import parse

FUSED = isa.with_features(isa.V4, ["avx512vnni"])
TARGETS = pytest.mark.parametrize("target", [isa.V3, FUSED], ids=["v3", "vnni"])
PLAIN = reference.FAMILY.targets[0]


def points(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def scales(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(0.01, 0.02, count).astype(np.float32)


def contractions(graph: Graph, target: object, *feeds: np.ndarray) -> list[bool]:
    """Whether each contraction after the pass is one of points; the results stay."""
    goal = Goal(target)
    changed = integer_products(dequantised(graph, goal), goal)
    verify(changed)
    assert not any(v.prim == "kept" for v in changed.order())
    for before, after in zip(run(graph, feeds), run(changed, feeds), strict=True):
        assert_close(after, before, 512)
    return [is_narrow(v) for v in changed.order() if v.kind == "contract"]


MODELS = {
    "one scale": "r = DequantizeLinear(w, t) y = MatMul(p, r)",
    "a scale each channel": "r = DequantizeLinear<axis = 1>(w, ts) y = MatMul(p, r)",
    "transposed": "v = Transpose(w) r = DequantizeLinear<axis = 0>(v, ts) y = Gemm<transB = 1>(p, r)",
    "batched": "r = DequantizeLinear<axis = 1>(w, ts) b = Reshape(p, a) c = MatMul(b, r) y = Reshape(c, d)",
    "seen through views": "q2 = Transpose(p) q3 = Transpose(q2) r = DequantizeLinear(w, t) y = MatMul(q3, r)",
}


@TARGETS
@pytest.mark.parametrize("body", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_products(target: object, body: str, kind: str, rng: np.random.Generator) -> None:
    graph = parse(
        f"g ({kind}[M,30] x, {kind} z) => (float[M,12] y) {{ p = DequantizeLinear(x, s, z) {body} }}",
        w=points(rng, 30, 12),
        s=np.float32(0.03),
        t=np.float32(0.02),
        ts=scales(rng, 12),
        a=np.array([1, -1, 1, 30]),
        d=np.array([-1, 12]),
    )
    x, z = points(rng, 5, 30).view(kind), points(rng, 1).view(kind).reshape(())
    assert contractions(graph, target, x, z) == [True]
    assert contractions(graph, PLAIN, x, z) == [False]


@TARGETS
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions(target: object, stride: int, rng: np.random.Generator) -> None:
    graph = parse(
        "g (uint8[N,20,H,W] x, uint8 z) => (float[N,16,P,Q] y) { p = DequantizeLinear(x, s, z) "
        f"r = DequantizeLinear<axis = 0>(w, ts) y = Conv<pads = [1,1,1,1], strides = [1,{stride}]>(p, r) }}",
        w=points(rng, 16, 20, 3, 3),
        s=np.float32(0.03),
        ts=scales(rng, 16),
    )
    x = points(rng, 2, 20, 5, 6).view(np.uint8)
    assert contractions(graph, target, x, np.array(7, np.uint8)) == [True]


def test_what_is_not_points_on_both_sides_stays_real(rng: np.random.Generator) -> None:
    of_rows = "r = DequantizeLinear<axis = 0>(w, ts) y = MatMul(p, r)"
    alone = "r = DequantizeLinear(w, t) y = MatMul(x, r)"
    for body, kind in ((of_rows, "int8"), (alone, "float")):
        p = "p = DequantizeLinear(x, t)" if kind == "int8" else ""
        graph = parse(
            f"g ({kind}[M,30] x) => (float[M,12] y) {{ {p} {body} }}",
            w=points(rng, 30, 12),
            t=np.float32(0.02),
            ts=scales(rng, 30),
        )
        assert contractions(graph, FUSED, points(rng, 5, 30).astype(kind.replace("float", "float32"))) == [
            False
        ]
        assert all(
            v.is_numeric_const for v in dequantised(graph, Goal(FUSED)).order() if v.dtype is dt.I8 and v.args
        )


@TARGETS
@pytest.mark.parametrize("rows", [3, 0])
def test_products_of_what_is_known_are_known(target: object, rows: int, rng: np.random.Generator) -> None:
    graph = parse(
        f"g (float[{rows},12] z) => (float[{rows},12] y) "
        "{ p = DequantizeLinear(x, s) r = DequantizeLinear(w, s) m = MatMul(p, r) y = Add(m, z) }",
        x=points(rng, rows, 30),
        w=points(rng, 30, 12),
        s=np.float32(0.02),
    )
    assert contractions(graph, target, rng.standard_normal((rows, 12)).astype(np.float32)) == []
