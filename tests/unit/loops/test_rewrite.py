"""Nests with fewer axes do the same: run with numpy before and after, whatever the strides."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Load, Reduce, Reduced, Store
from sardonyx.loops.rewrite import accesses, drop_unit_axes, merge_axes, merge_outer, merge_pair
from sardonyx.loops.run import run
from sardonyx.loops.verify import verify
from tests.runnable import examples

X, Y = Buffer("x", dt.I64, "in"), Buffer("y", dt.I64, "out")


def nest(extents: list[int], order: list[int], reduced: int) -> Kernel:
    """A sum over the last axes of a tensor whose axes lie in memory in any order."""
    axes = [Axis(f"i{n}", extent) for n, extent in enumerate(extents)]
    strides, step = {}, 1
    for n in reversed(order):
        strides[axes[n]], step = step, step * extents[n]
    outer, inner = tuple(axes[: len(axes) - reduced]), tuple(axes[len(axes) - reduced :])
    at = Affine(0, tuple(strides.items()))
    to, step = [], 1
    for axis in reversed(outer):
        to.append((axis, step))
        step *= axis.extent  # type: ignore[operator]
    value = Load(X, at, dt.I64)
    if not inner:
        return Kernel("k", outer, (Store(Y, Affine(0, tuple(to)), (), value),), ())
    result = Reduced("r", dt.I64, frozenset(outer))
    store = Store(Y, Affine(0, tuple(to)), (), Apply("neg", (result,), dt.I64))
    return Kernel("k", outer, (Reduce(result, "sum", inner, value), store), ())


def results(kernel: Kernel) -> Any:
    verify(kernel)
    x, y = np.arange(5000) * 7 % 101, np.full(5000, -1)
    run(kernel, {X: x, Y: y}, {})
    return y


@st.composite
def nests(draw: st.DrawFn) -> Kernel:
    extents = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    order = draw(st.permutations(range(len(extents))))
    return nest(extents, list(order), draw(st.integers(0, len(extents) - 1)))


@given(nests())
@settings(max_examples=examples(50, 150), deadline=None)
def test_fewer_axes_do_the_same(kernel: Kernel) -> None:
    before = results(kernel)
    dropped = drop_unit_axes(kernel)
    assert all(axis.extent != 1 for axis in dropped.outer)
    merged = merge_axes(dropped)
    assert np.array_equal(results(dropped), before)
    assert np.array_equal(results(merged), before)
    assert len(merged.outer) <= len(dropped.outer)


def test_what_runs_on_in_memory_is_one_axis() -> None:
    merged = merge_axes(nest([2, 3, 4], [0, 1, 2], 0))
    assert [axis.extent for axis in merged.outer] == [24]
    assert [at.factor(merged.outer[0]) for at in accesses(merged)] == [1, 1]
    across = merge_axes(nest([2, 3, 4], [2, 0, 1], 0))
    assert [axis.extent for axis in across.outer] == [6, 4]


def test_an_axis_of_unknown_size_merges_if_strides_say_so() -> None:
    n, m = dims.symbol("n"), dims.symbol("m")
    first, second = Axis("a", n), Axis("b", m)
    at = Affine(0, ((first, m), (second, 1)))
    kernel = Kernel("k", (first, second), (Store(Y, at, (), Load(X, at, dt.I64)),), ())
    assert [axis.extent for axis in merge_axes(kernel).outer] == [n * m]
    apart = Affine(0, ((first, n), (second, 1)))
    other = Kernel("k", (first, second), (Store(Y, at, (), Load(X, apart, dt.I64)),), ())
    assert len(merge_axes(other).outer) == 2


def tile() -> tuple[Kernel, tuple[Affine, ...]]:
    """The epilogue of a product over batches (2, 1, 3), rows and columns; the anchor reads two operands."""
    a, b, c, row, column = (Axis(name, size) for name, size in zip("abcrw", (2, 1, 3, 4, 5), strict=True))
    to = Affine(0, ((a, 60), (b, 60), (c, 20), (row, 5), (column, 1)))
    body = (Store(Y, to, (), Load(X, to, dt.I64)),)
    left = Affine(0, ((a, 24), (b, 24), (c, 8), (row, 2)))
    return Kernel("k", (a, b, c, row, column), body, (), form="tile"), (left, Affine(0, ((column, 1),)))


def test_outer_axes_of_an_epilogue_merge_with_those_of_its_operands() -> None:
    kernel, operands = tile()
    merged, (left, right) = merge_outer(kernel, operands)
    assert [axis.extent for axis in merged.outer] == [24, 5], "rows run on from batches here"
    assert left.axes | right.axes <= set(merged.outer), "no operand knows an axis that is gone"
    assert left.factor(merged.outer[0]) == 2
    assert np.array_equal(results(merged), results(kernel))
    kept, _ = merge_outer(kernel, (Affine(0, ((kernel.outer[0], 9),)),))
    assert kept.outer[0].extent == 2, "an operand that does not run on forbids it"


def test_a_pair_leaves_an_axis_of_one() -> None:
    kernel, operands = tile()
    merged, (left, _) = merge_pair(kernel, operands, 2)
    assert [axis.extent for axis in merged.outer] == [2, 1, 1, 12, 5]
    assert left.factor(merged.outer[3]) == 2
    assert np.array_equal(results(merged), results(kernel))
    assert merge_pair(kernel, operands, 3) == (kernel, operands), "columns are not among the left operand's"


def test_nothing_is_left_to_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        assert len(merge_axes(nest([1, 2, 3, 4], [0, 1, 2, 3], 0)).outer) == 1
        assert gc.collect() == 0
    finally:
        gc.enable()
