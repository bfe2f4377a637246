"""Whole tensors are reduced in two steps that threads can share; small ones and rows are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.passes.totals import totals
from tests.unit.passes.graphs import GOAL, check, parse, prims
from tests.unit.runtime.programs import model, program

DYNAMIC = (
    "g (float[N,M,512] x) => (uint8[N,M,512] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"
)


def reduced(op: str, shape: str, axes: str = "") -> str:
    kept = f"<keepdims = 0>(x{axes})"
    return f"g (float{shape} x) => (float y) {{ y = {op}{kept} }}"


def steps(text: str, shape: tuple[int, ...], rng: np.random.Generator) -> list[tuple[str, Any, Any]]:
    """(operation, shape, axes) of each reduction after the pass."""
    changed = check(totals, parse(text), rng.standard_normal(shape).astype(np.float32), length=1 << 16)
    return [(v.prim, v.shape, v.attrs["axes"]) for v in changed.order() if v.kind == "reduce"]


@pytest.mark.parametrize(("op", "prim"), [("ReduceMax", "rmax"), ("ReduceMin", "rmin"), ("ReduceSum", "sum")])
def test_last_axes_first(op: str, prim: str, rng: np.random.Generator) -> None:
    found = steps(reduced(op, "[1,16,64,64]"), (1, 16, 64, 64), rng)
    assert found == [(prim, (1, 16, 1, 1), (2, 3)), (prim, (1, 1, 1, 1), (1,))]


def test_a_long_last_axis_is_the_first_step(rng: np.random.Generator) -> None:
    found = steps(reduced("ReduceMax", "[8,16,512]"), (8, 16, 512), rng)
    assert found == [("rmax", (8, 16, 1), (2,)), ("rmax", (1, 1, 1), (0, 1))]


@pytest.mark.parametrize("shape", [(1, 3, 100, 100), (40000,), (1, 1, 40000), (40000, 3)])
def test_what_is_small_or_leaves_no_points_stays(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    found = steps(reduced("ReduceMax", str(list(shape)).replace(" ", "")), shape, rng)
    assert len(found) == 1


def test_reductions_with_results_of_their_own_stay(rng: np.random.Generator) -> None:
    text = "a = Constant<value_ints = [1, 2, 3]>() y = ReduceMax(x, a)"
    found = steps(f"g (float[2,16,64,64] x) => (float[2,1,1,1] y) {{ {text} }}", (2, 16, 64, 64), rng)
    assert len(found) == 1


@pytest.mark.parametrize("size", [(2, 70), (1, 1), (0, 5), (5, 0)])
@pytest.mark.parametrize("precision", ["fp32", "strict"])
def test_ranges_of_free_sizes_are_the_same_on_any_number_of_threads(
    size: tuple[int, int], precision: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((*size, 512)).astype(np.float32)
    found = prims(totals(parse(DYNAMIC), GOAL))
    assert [found.count(prim) for prim in ("ends", "rmax", "rmin")] == [1, 2, 0], "of rows, then one an end"
    found = [program(model(DYNAMIC), precision=precision, threads=t).run((x,), (0, 1, 2)) for t in (1, 2, 3)]
    high, low = max(x.max(initial=0), 0), min(x.min(initial=0), 0)
    assert found[0][1] == np.float32((high - low) / 255 or 1)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


ENDS = (
    "g (float[2,16,64,64] x) => (float y, float z) "
    "{ y = ReduceMax<keepdims = 0>(x) z = ReduceMin<keepdims = 0>(x) }"
)


@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sign", [1, -1])
def test_both_ends_share_their_first_step(value: float | None, sign: int, rng: np.random.Generator) -> None:
    x = sign * rng.random((2, 16, 64, 64)).astype(np.float32)
    if value is not None:
        x[1, 7, 20, 63] = value
    changed = check(totals, parse(ENDS), x, length=1)
    found = [(v.prim, v.shape) for v in changed.order() if v.kind == "reduce" or v.prim == "ends"]
    assert found == [("ends", (2, 16, 2)), *[("rmax", (1, 1, 1, 1))] * 2]
    high, low = program(model(ENDS), threads=2).run((x,), (0, 1))
    np.testing.assert_array_equal([high, low], [x.max(), x.min()])


def test_ends_of_integers_or_of_other_axes_are_found_apart(rng: np.random.Generator) -> None:
    whole = parse(ENDS.replace("float", "int32"))
    assert {"rmax", "rmin"} <= set(prims(totals(whole, GOAL)))
    rows = "axes = Constant<value_ints = [1, 2, 3]>() y = ReduceMax(x, axes)"
    text = f"g (float[2,16,64,64] x) => (float[2,1,1,1] y, float[1,1,1,1] z) {{ {rows} z = ReduceMin(x) }}"
    assert {"rmax", "rmin"} <= set(prims(totals(parse(text), GOAL)))


def test_a_number_that_is_none_is_found(rng: np.random.Generator) -> None:
    text = reduced("ReduceMax", "[N,512]")
    x = rng.standard_normal((100, 512)).astype(np.float32)
    x[77, 5] = np.nan
    (found,) = program(model(text), threads=2).run((x,), (0,))
    assert np.isnan(found)


@pytest.mark.parametrize(
    ("nodes", "stored"),
    [
        ("t = Add(x, y)", False),
        ("e = Exp(x) t = Add(e, y)", False),
        ("t = Mul(w, c)", False),
        ("e = Exp(w) t = Mul(e, c)", True),
        ("t = MatMul(w, v)", True),
    ],
)
def test_what_is_computed_where_it_is_read_need_not_be_stored(nodes: str, stored: bool) -> None:
    inputs = "float[N,1,512] x, float[1,M,512] y, float[N,M,512] w"
    outputs = "uint8[N,M,512] q, float s, uint8 z"
    text = f"g ({inputs}) => ({outputs}) {{ {nodes} q, s, z = DynamicQuantizeLinear(t) }}"
    graph = parse(text, c=np.array(3, np.float32), v=np.ones((512, 512), np.float32))
    found = prims(totals(graph, GOAL))
    assert ("ends" in found) == stored
    assert "rmin" not in found
