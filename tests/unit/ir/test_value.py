"""Values are interned and folded, refuse what is not defined, and compute what numpy computes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir import value as values
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, concat, const, dims_vector, iota, many, map_, placeholder, scalar

N = dims.symbol("N")
A = np.random.default_rng(1).integers(-5, 6, (2, 3, 4)).astype(np.float32)


def x(*shape: Any) -> Value:
    return placeholder("x", dt.F32, shape or A.shape)


def evaluated(build: Callable[[Value], Value], array: Any = A) -> Any:
    v = placeholder("x", dt.by_numpy(array.dtype), array.shape)
    return run(Graph((v,), (("y", build(v)),)), [array])[0]


@pytest.mark.parametrize(
    "build",
    [
        lambda n: const(np.zeros(2, np.float32)).broadcast((n, 2)),
        lambda n: iota((n,), 0, dt.I64),
        lambda n: dims_vector((n, 3)),
        lambda n: dims_vector((n, 3)).cast(dt.F32),
        lambda n: scalar(1, dt.F32).broadcast((n,)).exp(),
    ],
)
def test_sizes_of_another_graph_are_not_found_again(build: Callable[[Any], Value]) -> None:
    first = build(dims.symbol("N", 2))
    assert build(dims.symbol("N", 2)) is first
    values.begin_era()
    again = build(dims.symbol("N", 1))
    size = again.shape[0] if again.data is None else again.data[0]
    assert again is not first and dims.equal(size, 1) is None
    assert scalar(1, dt.F32) is scalar(1, dt.F32)


def test_equal_values_are_one_until_nobody_needs_them() -> None:
    v = x()
    assert v.exp() is v.exp()
    assert v + 1 is v + 1.0
    assert v + 1 is not v + 2
    assert x() is not x(), "each input is its own"
    number = v.exp().id
    gc.collect()
    assert v.exp().id != number


def test_constants_are_computed_at_once_and_halves_rounded_once() -> None:
    two = const(np.float32([2.0]))
    assert (two * 3 + 1).data.tolist() == [7.0]  # type: ignore[union-attr]
    third = scalar(1 / 3, dt.F16)
    product = (third * 3).data
    assert product is not None
    assert product == np.float16(np.float32(1 / 3) * 3), "not the half of a third, three times"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda v: 2 - v * 3, 2 - A * 3),
        (lambda v: 1 / (v + 7), 1 / (A + 7)),
        (lambda v: v.max(0).min(3), np.clip(A, 0, 3)),
        (lambda v: v.sum(0, 2), A.sum((0, 2), keepdims=True)),
        (lambda v: v.mean(-1), A.mean(-1, keepdims=True)),
        (lambda v: v.reduce_max(1), A.max(1, keepdims=True)),
        (lambda v: v.transpose(2, 0, 1).transpose(1, 0, 2), A.transpose(0, 2, 1)),
        (
            lambda v: v.pad((0, -1, 2), (1, 0, -1), scalar(9, dt.F32)),
            np.pad(A[:, 1:, :-1], ((0, 1), (0, 0), (2, 0)), constant_values=9),
        ),
        (lambda v: v.le(0).where(v, 5), np.where(A <= 0, A, 5)),
        (lambda v: v.gather(const(np.array([2, -1])), 2), A[:, :, [2, -1]]),
        (lambda v: concat([v, v.slice((0, 0, 1), (2, 3, 2))], 2), np.concatenate([A, A[:, :, 1:3]], 2)),
        (lambda v: v.dot(v.transpose(0, 2, 1)), A @ A.transpose(0, 2, 1)),
        (lambda v: v.reshape((4, 6)).reshape((3, 8)), A.reshape(3, 8)),
    ],
)  # fmt: skip
def test_operations_mean_what_numpy_means(build: Callable[[Value], Value], expected: Any) -> None:
    np.testing.assert_allclose(evaluated(build), expected, rtol=1e-6)


def test_chains_of_views_are_one_view() -> None:
    v = x()
    assert v.transpose(2, 0, 1).transpose(1, 2, 0) is v
    assert v.reshape((24,)).reshape((2, 3, 4)) is v
    assert v.pad((0, 0, 0), (0, 0, 0)) is v
    assert v.slice((0, 0, 0), (2, 3, 4)) is v
    assert v.sum() is v, "over no axes"
    assert v.cast(dt.F32) is v


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda v: v.reshape((5, 5)), "element counts differ"),
        (lambda v: v.transpose(0, 0, 1), "not a permutation"),
        (lambda v: v.sum(3), "axis 3 is out of range"),
        (lambda v: v.dot(x(2, 5, 6)), "cannot multiply .* inner sizes"),
        (lambda v: v + x(2, 3, 5), "does not broadcast"),
        (lambda v: v + placeholder("i", dt.I64, (1,)), "different element types"),
        (lambda v: concat([v, x(2, 4, 4)], 2), "cannot join"),
        (lambda v: v.reshape((1,) * 62 + (24,) + (1,) * 2), "at most 64"),
    ],
)
def test_what_has_no_meaning_is_refused(build: Callable[[Value], Value], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        build(x())


def test_what_is_empty_is_known() -> None:
    empty = x(0, 3).exp()
    assert empty.shape == (0, 3)
    assert not any(v.prim == "exp" for v in Graph((), (("y", empty),)).order())


def test_sizes_are_numbers_or_symbols() -> None:
    v = x(N, 4)
    assert v.size == N * 4
    assert dims_vector((2, 3)).is_numeric_const
    symbolic = dims_vector((N, 3))
    assert symbolic.is_const
    assert not symbolic.is_numeric_const
    assert (symbolic * 2).data.tolist() == [N * 2, 6]  # type: ignore[union-attr]


def test_small_indices_are_constants_and_large_ones_are_not() -> None:
    assert iota((2, 3), 1, dt.I64).data.tolist() == [[0, 1, 2]] * 2  # type: ignore[union-attr]
    assert iota((N,), 0, dt.I64).prim == "iota"
    assert iota((3,), 0, dt.F16).dtype is dt.F16


def test_many_results_are_items_of_one() -> None:
    first, second = many(
        "topk", (x(8),), {"k": 2, "axis": 0, "largest": True}, [(dt.F32, (2,)), (dt.I64, (2,))]
    )
    assert first.args[0] is second.args[0]
    assert (second.dtype, second.shape) == (dt.I64, (2,))


def test_numbers_take_the_type_of_the_tensor() -> None:
    assert map_("add", placeholder("i", dt.I8, (2,)), 1).dtype is dt.I8
    assert (x() + 1).args[1].dtype is dt.F32
    assert map_("lt", x(), 0).dtype is dt.BOOL


def test_sizes_are_taken_to_be_possible_and_those_of_windows_to_have_a_window() -> None:
    size = N - 5
    with dims.assuming({}):
        x(4).reshape((1, 1, 4)).broadcast((size, 1, 4))
        assert dims.lower_bound(size) == 0
    with dims.assuming({}):
        values.make("conv", (x(1, 1, 4), x(1, 1, 1)), {}, dt.F32, (1, 1, size))
        assert dims.lower_bound(size) == 1
