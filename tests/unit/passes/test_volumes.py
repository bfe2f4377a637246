"""A convolution of many spatial axes by ones of two is the one of numpy, whatever its window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make
from sardonyx.passes.decompose import decompose
from sardonyx.passes.integer_products import integer_products
from sardonyx.passes.narrow import is_narrow
from sardonyx.passes.volumes import volumes
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.compiled import graph_of
from tests.unit.passes.graphs import GOAL, check, parse


def convolved(x: Any, w: Any, at: dict[str, Any]) -> Any:
    """Each tap multiplies what it sees."""
    spatial, group = x.ndim - 2, at["group"]
    edges = [(0, 0), (0, 0), *zip(at["low"], at["high"], strict=True)]
    padded = np.pad(x, edges)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], at["dilations"], strict=True)]
    out = [(padded.shape[2 + i] - spans[i]) // at["strides"][i] + 1 for i in range(spatial)]
    y = np.zeros((len(x), len(w), *out))
    ins, outs = x.shape[1] // group, len(w) // group
    for tap in np.ndindex(w.shape[2:]):
        starts = [t * d for t, d in zip(tap, at["dilations"], strict=True)]
        seen = padded[
            (
                ...,
                *(
                    slice(a, a + (n - 1) * s + 1, s)
                    for a, n, s in zip(starts, out, at["strides"], strict=True)
                ),
            )
        ]
        for g in range(group):
            of, to = slice(g * ins, (g + 1) * ins), slice(g * outs, (g + 1) * outs)
            y[:, to] += np.einsum("ni...,oi->no...", seen[:, of], w[(to, slice(None), *tap)])
    return y


def conv(x: Value, w: Any, at: dict[str, Any], out: tuple[int, ...]) -> Value:
    return make("conv", (x, const(w)), at, x.dtype, (x.shape[0], len(w), *out))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_values_are_exact(data: Any) -> None:
    spatial = data.draw(st.sampled_from([3, 3, 4]))

    def each(low: int, high: int, often: int) -> tuple[int, ...]:
        """A number for every axis, mostly `often`."""
        return tuple(data.draw(st.one_of(st.just(often), st.integers(low, high))) for _ in range(spatial))

    kernel, group = each(1, 3, 1), data.draw(st.integers(1, 2))
    at = {"strides": each(1, 2, 1), "dilations": each(1, 2, 1), "low": each(0, 2, 0), "high": each(0, 2, 0)}
    at["group"] = group
    rng = np.random.default_rng(1)
    sizes = [
        (k - 1) * d + 1 + data.draw(st.integers(0, 2)) for k, d in zip(kernel, at["dilations"], strict=True)
    ]
    x = rng.integers(-3, 4, (2, 3 * group, *sizes)).astype(np.float32)
    w = rng.integers(-3, 4, (5 * group, 3, *kernel)).astype(np.float32)
    expected = convolved(x, w, at)
    graph = volumes(graph_of(lambda a: [conv(a, w, at, expected.shape[2:])], [x]), GOAL)
    moves = (kernel, at["strides"], *(tuple(n + 1 for n in at[side]) for side in ("low", "high")))
    single = all(set(move) == {1} for move in moves)
    assert {v.rank for v in graph.order() if v.prim == "conv"} == {x.ndim if single else 4}
    (got,) = run(graph, [x])
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("outputs, rank", [(12, 5), (16, 4)])
def test_few_channels_a_group_stay(outputs: int, rank: int) -> None:
    at = {"strides": (1,) * 3, "dilations": (1,) * 3, "low": (1,) * 3, "high": (1,) * 3, "group": 4}
    x, w = np.ones((1, 4, 3, 4, 5), np.float32), np.ones((outputs, 1, 3, 3, 3), np.float32)
    graph = volumes(graph_of(lambda a: [conv(a, w, at, (3, 4, 5))], [x]), GOAL)
    assert {v.rank for v in graph.order() if v.prim == "conv"} == {rank}


def test_an_axis_without_taps_copies_nothing() -> None:
    at = {"strides": (1,) * 3, "dilations": (1,) * 3, "low": (1, 0, 0), "high": (1, 0, 0), "group": 1}
    x, w = np.ones((1, 4, 3, 4, 5), np.float32), np.ones((8, 4, 3, 1, 1), np.float32)
    graph = volumes(graph_of(lambda a: [conv(a, w, at, (3, 4, 5))], [x]), GOAL)
    assert {v.prim for v in graph.order()}.isdisjoint({"window", "transpose"})


def test_single_pixels_are_multiplied_where_they_lie() -> None:
    at = {"strides": (1,) * 3, "dilations": (1,) * 3, "low": (0,) * 3, "high": (0,) * 3, "group": 1}
    x, w = np.ones((1, 4, 64, 64, 1025), np.float32), np.ones((8, 4, 1, 1, 1), np.float32)
    graph = decompose(volumes(graph_of(lambda a: [conv(a, w, at, x.shape[2:])], [x]), GOAL), GOAL)
    assert "dot" in {v.prim for v in graph.order()}


@pytest.mark.parametrize("target", [isa.V3, isa.with_features(isa.V4, ["avx512vnni"])], ids=["v3", "vnni"])
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("kernel", ["1, 1, 1", "3, 1, 1", "2, 3, 3"])
def test_small_integers_stay_small(target: Target, group: int, kernel: str, rng: np.random.Generator) -> None:
    taps = [int(n) for n in kernel.split(",")]
    w = rng.integers(-20, 21, (16, 16 // group, *taps)).astype(np.int8)
    high = ", ".join(str(n // 2) for n in taps)
    graph = parse(
        "g (uint8[N,16,D,H,W] x, uint8 z) => (int32[N,16,P,Q,R] y) "
        f"{{ y = ConvInteger<group = {group}, pads = [0, 0, 0, {high}]>(x, w, z) }}",
        w=w,
    )
    feeds = rng.integers(0, 256, (2, 16, 4, 3, 5)).astype(np.uint8), np.uint8(7)
    changed = volumes(integer_products(graph, Goal(target)), Goal(target))
    assert [is_narrow(v) and v.rank for v in changed.order() if v.prim == "conv"] == [4]
    for before, after in zip(run(graph, feeds), run(changed, feeds), strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 1), (3, 1, 1)])
@pytest.mark.parametrize("other", ["0.5", "w"])
def test_what_follows_is_computed_of_images(
    rng: np.random.Generator, kernel: tuple[int, ...], other: str
) -> None:
    graph = parse(
        f"g (float[N,4,5,6,7] x) => (float[N,8,D,H,W] y) {{ a = Conv (x, k) b = Add(a, c) r = Relu(b)"
        f" d = Conv (x, k) e = Mul(r, d) {'s = Constant<value = float {0.5}>()' if other == '0.5' else ''}"
        f" y = Add(e, {'s' if other == '0.5' else 'w'}) }}",
        k=rng.standard_normal((8, 4, *kernel)).astype(np.float32),
        c=rng.standard_normal((8, 1, 1, 1)).astype(np.float32),
        w=rng.standard_normal((1, 8, 1, 1, 1)).astype(np.float32),
    )
    changed = check(volumes, graph, rng.standard_normal((2, 4, 5, 6, 7)).astype(np.float32), length=200)
    assert {v.rank for v in changed.order() if v.kind == "map" and v.size != 1} <= {4}


def test_what_differs_between_pixels_is_computed_of_volumes(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[2,4,5,6,7] x, float[2,8,3,4,5] z) => (float[2,8,D,H,W] y)"
        " { a = Conv (x, k) y = Add(a, z) }",
        k=rng.standard_normal((8, 4, 3, 3, 3)).astype(np.float32),
    )
    feeds = (rng.standard_normal(s).astype(np.float32) for s in ((2, 4, 5, 6, 7), (2, 8, 3, 4, 5)))
    changed = check(volumes, graph, *feeds, length=200)
    assert changed.outputs[0][1].prim == "add"
