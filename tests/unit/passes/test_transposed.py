"""A transposed convolution by ordinary ones is the one of numpy, over every stride and dilation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make
from sardonyx.passes.transposed import as_convolution, as_product, phases, transposed
from tests.runnable import runnable_targets
from tests.unit.kernels.compiled import graph_of, native
from tests.unit.passes.graphs import GOAL

small = st.integers(1, 4)
POINTS = {"strides": (1, 1), "dilations": (1, 1), "low": (0, 0), "high": (0, 0), "group": 1}


def made(x: Value, w: Value, group: int, strides: Any, dilations: Any, low: Any, out: Any) -> Value:
    attrs = {"group": group, "strides": strides, "dilations": dilations, "low": low, "out": out}
    return make("conv_transpose", (x, w), attrs, x.dtype, (x.shape[0], w.shape[1] * group, *out))


def expected(x: Any, w: Any, group: int, strides: Any, dilations: Any, low: Any, out: Any) -> Any:
    """Every input spreads its taps."""
    n, channels, (rows, columns) = len(x), w.shape[1], x.shape[2:]
    full = np.zeros((n, group * channels, 60, 60))
    per = x.shape[1] // group
    for c in range(x.shape[1]):
        to = slice((c // per) * channels, (c // per + 1) * channels)
        for i, j in np.ndindex(rows, columns):
            for a, b in np.ndindex(w.shape[2:]):
                at = i * strides[0] + a * dilations[0], j * strides[1] + b * dilations[1]
                full[:, to, at[0], at[1]] += x[:, c, i, j, None] * w[c, :, a, b]
    return full[:, :, low[0] : low[0] + out[0], low[1] : low[1] + out[1]]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_values_are_exact(data: Any) -> None:
    draw = data.draw
    group, (sizes, kernel, strides, dilations) = (
        draw(st.integers(1, 2)),
        (draw(st.tuples(small, small)) for _ in range(4)),
    )
    extent = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(sizes, strides, kernel, dilations, strict=True)
    ]
    low = [draw(st.integers(0, e + 2)) for e in extent]
    out = [draw(st.integers(1, max(e - at, 0) + 2)) for e, at in zip(extent, low, strict=True)]
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (2, 2 * group, *sizes)).astype(float)
    w = rng.integers(-3, 4, (2 * group, draw(st.integers(1, 3)), *kernel)).astype(float)
    given_ = (group, strides, dilations, tuple(low), tuple(out))
    for rewritten in (as_convolution, as_product)[: 3 - group]:
        graph = graph_of(lambda a, b, way=rewritten: [way(made(a, b, *given_))], [x, w])
        assert "conv_transpose" not in {v.prim for v in graph.order()}
        (got,) = run(graph, [x, w])
        np.testing.assert_array_equal(got, expected(x, w, *given_))


@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (3, 2), (4, 5)])
@pytest.mark.parametrize("strides", [(2, 2), (1, 3), (3, 2)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (3, 2)])
def test_infinities_and_nan_reach_what_their_taps_reach(kernel: Any, strides: Any, dilations: Any) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-3, 4, (1, 2, 4, 5)).astype(float), rng.integers(1, 4, (2, 3, *kernel)).astype(float)
    x[0, 0, 0, 0], x[0, 1, 3, 4], x[0, 1, 1, 2] = np.inf, np.nan, np.inf
    extent = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip((4, 5), strides, kernel, dilations, strict=True)
    ]
    given_ = (1, strides, dilations, (1, 1), (extent[0] - 1, extent[1] - 2))
    for rewritten in (as_convolution, as_product):
        (got,) = run(graph_of(lambda a, b, way=rewritten: [way(made(a, b, *given_))], [x, w]), [x, w])
        np.testing.assert_array_equal(got, expected(x, w, *given_))


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize(
    ("channels", "group", "kernel", "strides", "low"),
    [
        (3, 1, (2, 2), (2, 2), (0, 0)),
        (3, 1, (4, 4), (2, 2), (1, 1)),
        (1, 1, (3, 3), (2, 2), (1, 1)),
        (5, 2, (4, 3), (4, 2), (0, 1)),
        (3, 1, (5, 8), (3, 4), (2, 0)),
    ],
)
@pytest.mark.parametrize("free", [False, True])
def test_few_channels_in_native_code(
    target: Any, dtype: Any, channels: int, group: int, kernel: Any, strides: Any, low: Any, free: bool
) -> None:
    rng, n = np.random.default_rng(2), dims.symbol("n", 1)
    x = rng.integers(-3, 4, (2, 17 * group, 5, 7)).astype(dtype)
    w = rng.integers(-3, 4, (17 * group, channels, *kernel)).astype(dtype)
    out = [(size - 1) * s + k - 2 * at for size, s, k, at in zip((5, 7), strides, kernel, low, strict=True)]
    wide = (n - 1) * strides[1] + kernel[1] - 2 * low[1] if free else out[1]

    def build(a: Value) -> list[Value]:
        return [made(a, const(w), group, strides, (1, 1), low, (out[0], wide))]

    graph = graph_of(build, [x], sizes=[(2, 17 * group, 5, n)] if free else ())
    (got,) = native(transposed(graph, GOAL), target, [x])
    wanted = expected(x.astype(float), w.astype(float), group, strides, (1, 1), low, tuple(out))
    np.testing.assert_array_equal(got, wanted.astype(dtype))


def test_phases_of_pixels_lie_side_by_side_and_all_parts_read_one_padded_input() -> None:
    x, w = np.zeros((1, 1, 4, 4)), np.arange(12.0).reshape(1, 3, 2, 2)

    def weights(a: Value, b: Value) -> list[Value]:
        (part,) = phases(made(a, b, 1, (2, 2), (1, 1), (0, 0), (8, 8)), 3, pixels_last=True).parts
        assert part.weights is not None
        return [part.weights]

    (found,) = run(graph_of(weights, [x, w]), [x, w])
    np.testing.assert_array_equal(found.ravel(), w.transpose(2, 1, 3, 0).ravel())
    kernel = np.zeros((1, 3, 3, 3))
    graph = graph_of(
        lambda a, b: [as_convolution(made(a, b, 1, (2, 2), (1, 1), (0, 0), (9, 9)))], [x, kernel]
    )
    convolutions = [v for v in graph.order() if v.prim == "conv"]
    assert len(convolutions) == 4
    assert len({v.args[0].id for v in convolutions}) == 1


def test_infinities_do_not_spread_to_phases_without_their_tap() -> None:
    x, w = np.full((1, 1, 1, 1), np.inf), np.ones((1, 1, 1, 1))
    given_ = (1, (2, 2), (1, 1), (0, 0), (2, 2))
    (got,) = run(graph_of(lambda a, b: [as_convolution(made(a, b, *given_))], [x, w]), [x, w])
    np.testing.assert_array_equal(got[0, 0], [[np.inf, 0], [0, 0]])


@pytest.mark.parametrize(
    ("channels", "stride", "kernel", "prim"),
    [(3, 2, 3, "col2im"), (8, 1, 3, "conv"), (3, 1, 3, "col2im"), (3, 4, 8, "conv"), (1, 16, 33, "conv")],
)
def test_few_channels_are_a_product_where_convolutions_would_compute_many_more(
    channels: int, stride: int, kernel: int, prim: str
) -> None:
    x, w = np.zeros((1, 8, 5, 5), np.float32), np.zeros((8, channels, kernel, kernel), np.float32)
    given_ = (1, (stride, stride), (1, 1), (0, 0), (4 * stride + kernel,) * 2)
    graph = transposed(graph_of(lambda a, b: [made(a, b, *given_)], [x, w]), GOAL)
    assert {"conv", "conv_transpose", "col2im"} & {v.prim for v in graph.order()} == {prim}


def test_one_convolution_reads_what_another_left_in_blocks() -> None:
    x, w = np.zeros((1, 8, 5, 5), np.float32), np.zeros((8, 3, 4, 4), np.float32)
    given_ = (1, (2, 2), (1, 1), (1, 1), (10, 10))

    def build(a: Value, b: Value) -> list[Value]:
        before = make("conv", (a, const(np.zeros((8, 8, 1, 1), np.float32))), POINTS, a.dtype, a.shape)
        return [made(before + 1.0, b, *given_), made(a, b, *given_)]

    graph = transposed(graph_of(build, [x, w]), GOAL)
    assert [v.prim for v in graph.order()].count("col2im") == 1


def test_phases_of_equal_reach_are_one_part() -> None:
    x, w = np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 3, 4))
    found = []

    def build(a: Value, b: Value) -> list[Value]:
        value = made(a, b, 1, (2, 2), (1, 1), (0, 0), (9, 10))
        found.append(phases(value, 5))
        return [value]

    graph_of(build, [x, w])
    (p,) = found
    assert (p.splits, p.strides) == ((2, 1), (2, 2))
    assert [part.sizes for part in p.parts] == [(1, 2), (1, 2)]
    assert [part.weights.shape for part in p.parts if part.weights is not None] == [
        (10, 1, 2, 2),
        (10, 1, 1, 2),
    ]


@pytest.mark.parametrize(
    ("channels", "group", "rewritten"), [(1, 1, True), (64, 1, False), (64, 2, True), (3, 1, True)]
)
def test_channels_that_fill_whole_blocks_are_left(channels: int, group: int, rewritten: bool) -> None:
    x, w = np.zeros((1, group, 2, 2), np.float32), np.zeros((group, channels, 2, 2), np.float32)
    graph = graph_of(lambda a, b: [made(a, b, group, (2, 2), (1, 1), (0, 0), (4, 4))], [x, w])
    prims = {v.prim for v in transposed(graph, GOAL).order()}
    assert ("conv_transpose" not in prims) == rewritten


@pytest.mark.parametrize("low", [0, 12])
def test_unknown_sizes_that_read_only_outside(low: int) -> None:
    n = dims.symbol("N")
    w = np.random.default_rng(1).integers(-3, 4, (2, 1, 3, 1)).astype(float)
    rest = (1, (3, 1), (4, 1), (low, 0))
    start = np.zeros((1, 2, 1, 1))
    graph = graph_of(
        lambda a, b: [as_convolution(made(a, b, *rest, (n * 3 - 2, 1)))], [start, w], sizes=[(1, 2, n, 1)]
    )
    for rows in (1, 2, 5):
        x = np.random.default_rng(rows).integers(-3, 4, (1, 2, rows, 1)).astype(float)
        (got,) = run(graph, [x, w])
        np.testing.assert_array_equal(got, expected(x, w, *rest, (rows * 3 - 2, 1)))
