"""What a model allows to be rounded is, where an instruction multiplies bytes, and no more than that."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.points import points
from sardonyx.targets.x86_64 import isa
from tests.unit.passes.graphs import parse

VNNI = isa.with_features(isa.V4, ["avx512vnni"])
RNG = np.random.default_rng(3)


def product(bits: int = 4, level: int = 4) -> Graph:
    attributes = f"K=64, N=24, bits={bits}, block_size=32, accuracy_level={level}"
    w = RNG.integers(0, 256, (24, 2, 4 * bits)).astype(np.uint8)
    s = RNG.uniform(0.5, 1, (24, 2)).astype(np.float32)
    node = f"y = com.microsoft.MatMulNBits<{attributes}>(x, w, s)"
    return parse(f"g (float[M, 64] x) => (float[M, 24] y) {{ {node} }}", w=w, s=s)


def rounds(graph: Graph, target: Target = VNNI, precision: str = "fp32") -> bool:
    changed = points(graph, Goal(target, Policy(precision)))
    verify(changed)
    return any(v.attrs.get("points") == "made" for v in changed.order())


@pytest.mark.parametrize(
    ("bits", "target", "expected"),
    [(4, VNNI, True), (8, VNNI, True), (4, isa.V3, True), (8, isa.V3, False), (4, isa.V4, False)],
)
def test_bytes_are_multiplied_where_that_is_exact(bits: int, target: Target, expected: bool) -> None:
    assert rounds(product(bits), target) is expected


def test_what_is_not_allowed_is_not_rounded() -> None:
    assert not rounds(product(level=1))
    assert not rounds(product(), precision="strict")


def test_results_are_as_near_as_a_byte_holds() -> None:
    graph = product()
    x = RNG.standard_normal((5, 64)).astype(np.float32)
    (exact,), (near,) = (run(g, [x]) for g in (graph, points(graph, Goal(VNNI))))
    error = np.linalg.norm(near - exact) / np.linalg.norm(exact)
    assert 1e-4 < error < 1e-2
