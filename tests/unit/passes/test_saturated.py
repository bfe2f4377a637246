"""Bytes are rounded and limited as integers: the same bits, whatever the numbers; other casts stay."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.requantised import requantised
from sardonyx.passes.saturated import saturated
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.unit.kernels.compiled import native
from tests.unit.passes.graphs import GOAL, parse, prims

STRICT = Goal(isa.V3, Policy("strict"))
LARGE = (2.0**30, 2.0**31, 2.0**32, 3e9, 1e20, np.inf)
NUMBERS = np.array(
    [*(n / 4 for n in range(-1200, 2400)), *LARGE, *(-n for n in LARGE), np.nan, -0.0, 0.49999997, 254.5],
    np.float32,
)


def quantised(zero: int, limits: str = "") -> Graph:
    """Half of x, perhaps limited, as bytes."""
    node, source = (f"l = {limits}", "l") if limits else ("", "m")
    graph = parse(
        f"g (float[N] x) => (uint8[N] y) {{ m = Mul(x, v) {node} y = QuantizeLinear({source}, s, z) }}",
        s=np.array(1, np.float32),
        v=np.array(0.5, np.float32),
        z=np.array(zero, np.uint8),
        six=np.array(6, np.float32),
        none=np.array(0, np.float32),
        high=np.array(300, np.float32),
    )
    return requantised(graph, GOAL)


def same(graph: Graph, goal: Goal = GOAL) -> Graph:
    changed = saturated(graph, goal)
    verify(changed)
    for x in (NUMBERS, NUMBERS[:0]):
        with np.errstate(all="ignore"):
            (before,), (after,) = run(graph, [x]), run(changed, [x])
        assert np.array_equal(before, after)
    return changed


@pytest.mark.parametrize("zero", [0, 1, 128, 255])
@pytest.mark.parametrize("goal", [GOAL, STRICT], ids=["fp32", "strict"])
def test_the_same_bits(zero: int, goal: Goal) -> None:
    changed = same(quantised(zero), goal)
    limits = [v for v in changed.order() if v.prim in ("min", "max") and v.dtype is dt.I32]
    assert len(limits) == 2
    assert ("add" in prims(changed)) == bool(zero)


@pytest.mark.parametrize(
    ("limits", "zero", "left"),
    [
        ("Relu(m)", 0, 0),
        ("Relu(m)", 7, 1),
        ("Clip(m, none, six)", 0, 2),
        ("Clip(m, none, high)", 0, 0),
        ("Clip(m, none, high)", 3, 1),
    ],
)
def test_limits_that_bytes_have_anyway_are_left_out(limits: str, zero: int, left: int) -> None:
    changed = same(quantised(zero, limits))
    kept = [v for v in changed.order() if v.prim in ("min", "max") and v.dtype is dt.F32]
    assert len(kept) == left + 1, "and one that holds numbers within those of integers"


def test_a_limit_that_others_read_stays() -> None:
    graph = parse(
        "g (float[N] x) => (uint8[N] y, float[N] l) { l = Relu(x) y = QuantizeLinear(l, s, z) }",
        s=np.array(1, np.float32),
        z=np.array(0, np.uint8),
    )
    assert prims(saturated(graph, GOAL)).count("max") == 2


SUMS = (
    "g (uint8[N,8] x, uint8[N,8] r) => (uint8[N,8] y) {{ a = DequantizeLinear(x, s, z) "
    "b = DequantizeLinear(r, s, z) c = Add(a, b) {more} y = QuantizeLinear({last}, s, z) }}"
)


@pytest.mark.parametrize(("more", "last"), [("", "c"), ("d = Add(c, w)", "d"), ("d = Relu(c)", "d")])
def test_zero_points_join_what_is_added(more: str, last: str, rng: np.random.Generator) -> None:
    graph = parse(
        SUMS.format(more=more, last=last),
        s=np.array(0.25, np.float32),
        z=np.array(3, np.uint8),
        w=rng.integers(-9, 9, 8).astype(np.float32),
    )
    graph = requantised(graph, GOAL)
    assert "sub" not in prims(saturated(graph, GOAL))
    assert "sub" in prims(saturated(graph, STRICT))
    feeds = [rng.integers(0, 256, (40, 8)).astype(np.uint8) for _ in range(2)]
    (before,), (after,) = run(graph, feeds), run(saturated(graph, GOAL), feeds)
    assert np.array_equal(before, after), "numbers of few digits are exact"


@pytest.mark.parametrize(
    "body",
    [
        "g (float[N] x) => (int8[N] y) { y = QuantizeLinear(x, s, signed) }",
        "g (float[N] x) => (uint16[N] y) { y = QuantizeLinear(x, s, wide) }",
        "g (float[N] x, uint8 v) => (uint8[N] y) { y = QuantizeLinear(x, s, v) }",
        "g (float[N] x) => (uint8[N] y) { y = Cast<to = 2>(x) }",
        "g (double[N] x) => (uint8[N] y) { r = Round(x) y = Cast<to = 2>(r) }",
    ],
    ids=["signed", "wide", "a zero point that is fed", "not rounded", "not limited"],
)
def test_other_casts_stay(body: str) -> None:
    constants = {"signed": np.array(3, np.int8), "wide": np.array(3, np.uint16)}
    graph = parse(body, s=np.array(0.5, np.float32), **constants)
    assert prims(saturated(graph, GOAL)) == prims(graph)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("zero", [0, 200])
def test_compiled_code_gives_the_same_bits(target: Target, zero: int) -> None:
    graph = quantised(zero)
    with np.errstate(all="ignore"):
        (expected,) = run(graph, [NUMBERS])
    for changed in (graph, saturated(graph, Goal(target))):
        (got,) = native(changed, target, [NUMBERS])
        assert np.array_equal(got, expected)


DYNAMIC = "g (float[N] x) => (uint8[N] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"


@pytest.mark.parametrize("goal", [GOAL, STRICT], ids=["fp32", "strict"])
@pytest.mark.parametrize("low", [-3.0, -1.5, 0.0, 1.0])
@pytest.mark.parametrize(
    "special", [(), (np.inf,), (-np.inf,), (np.inf, -np.inf), (np.nan,), (3e38, -3e38), (1e-42,)]
)
def test_a_computed_zero_point_is_added_to_integers(
    goal: Goal, low: float, special: tuple[float, ...]
) -> None:
    graph = parse(DYNAMIC)
    changed = saturated(graph, goal)
    verify(changed)
    x = np.array([*np.linspace(low, 2.25, 1001), *special], np.float32)
    with np.errstate(all="ignore"):
        before, after = run(graph, [x]), run(changed, [x])
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b, equal_nan=a.dtype == np.float32)
    (points,) = (v for v in changed.order() if v.dtype is dt.U8 and v.shape == graph.inputs[0].shape)
    assert points.args[0].dtype is dt.I32
