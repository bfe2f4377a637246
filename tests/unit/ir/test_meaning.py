"""What primitives mean, by definition: loops over elements in exact arithmetic beside the array formulas."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir import meaning
from sardonyx.ir.meaning import NotFoldable

N = dims.symbol("N")
INT8 = st.integers(-128, 127)


def i8(*numbers: int) -> Any:
    return np.array(numbers, np.int8)


def sizes(*items: Any) -> Any:
    found = np.empty(len(items), object)
    found[:] = items
    return found


@given(INT8, INT8)
def test_whole_numbers(a: int, b: int) -> None:
    if b:
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        assert int(meaning.divide(np.int64([a]), np.int64([b]))[0]) == quotient
    else:
        with pytest.raises(ZeroDivisionError):
            meaning.divide(i8(a), i8(0))
    if b >= 0:
        left = (a << b) % 256 if b < 8 else 0
        assert int(meaning.shift_left(i8(a), i8(b))[0]) % 256 == left
        assert int(meaning.shift_right(i8(a), i8(b))[0]) == a >> b
        assert int(meaning.shift_right(i8(a).view(np.uint8), i8(b).view(np.uint8))[0]) == (a % 256) >> b
        assert int(meaning.power(i8(a), i8(b))[0]) % 256 == pow(a, b, 256)
    elif a:
        assert int(meaning.power(i8(a), i8(b))[0]) == int(float(a) ** b)


def test_negative_powers_truncate() -> None:
    a = np.repeat(np.int32([-2, -1, 0, 1, 2]), 3)
    b = np.tile(np.int32([-1, -2, -3]), 5)
    assert meaning.power(a, b).tolist() == [0, 0, 0, -1, 1, -1, 0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_symbols_are_decided_or_left() -> None:
    one = sizes(N, N + 1)
    assert meaning.equal(one, one).tolist() == [True, True]
    assert meaning.less(sizes(N), sizes(N + 1)).tolist() == [True]
    assert meaning.maximum(sizes(N), sizes(N + 1)).tolist() == [N + 1]
    assert meaning.divide(sizes(N * 4), sizes(2)).tolist() == [N * 2]
    for undecided in (
        lambda: meaning.equal(sizes(N), sizes(3)),
        lambda: meaning.less(sizes(N), sizes(3)),
        lambda: meaning.where(sizes(N), one, one),
        lambda: meaning.cast(sizes(N), to=dt.BOOL),
        lambda: meaning.integral(np.floor)(sizes(1.5)),
        lambda: meaning.divide(sizes(N), sizes(1.5)),
    ):
        with pytest.raises(NotFoldable):
            undecided()


@pytest.mark.parametrize("x", [0.0, 1.0, -800.0, 800.0, -np.inf, np.inf])
def test_sigmoid_without_overflow(x: float) -> None:
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-np.longdouble(x)))
    assert meaning.sigmoid(np.array([x]))[0] == pytest.approx(float(exact), rel=1e-15)


def test_casts_truncate_and_wrap() -> None:
    x = np.float32([1.9, -1.9, 300.5, np.nan])
    assert meaning.cast(x, to=dt.I8).tolist()[:3] == [1, -1, 44]
    assert meaning.cast(x, to=dt.BOOL).tolist() == [True] * 4
    assert meaning.cast(np.float64([3e9]), to=dt.U32).tolist() == [3_000_000_000]
    assert meaning.cast(np.array([2.5, 3.5], dt.BF16.numpy), to=dt.I32).tolist() == [2, 3]
    assert meaning.bitcast(np.float32([1.0]), to=dt.I32).tolist() == [0x3F800000]


def test_extrema_of_nothing_and_places_of_ties() -> None:
    empty = np.zeros((2, 0), np.int8)
    assert meaning.reduce_max(empty, axes=(1,)).tolist() == [[-128]] * 2
    assert meaning.reduce_min(empty, axes=(1,)).tolist() == [[127]] * 2
    assert meaning.reduce_max(empty.astype(np.float32), axes=(1,)).tolist() == [[-np.inf]] * 2
    assert meaning.reduce_min(empty.astype(bool), axes=(1,)).tolist() == [[True]] * 2
    ties = np.array([[3, 1, 3, 1]])
    assert [int(meaning.argmax(ties, axis=1, last=last)[0, 0]) for last in (False, True)] == [0, 2]
    assert [int(meaning.argmin(ties, axis=1, last=last)[0, 0]) for last in (False, True)] == [1, 3]


def test_sums_of_single_precision_are_rounded_once() -> None:
    x = np.float32([[1e8, 1, -1e8, 1]])
    assert meaning.reduce_sum(x, axes=(1,)).tolist() == [[2.0]]
    assert meaning.reduce_prod(np.int32([[3, 4]]), axes=(1,)).tolist() == [[12]]


@pytest.mark.parametrize(("exclusive", "reverse"), list(itertools.product([False, True], repeat=2)))
def test_scans(exclusive: bool, reverse: bool) -> None:
    x = [2, 3, 4, 5]
    for scan, start, step in (
        (meaning.cumsum, 0, lambda a, b: a + b),
        (meaning.cumprod, 1, lambda a, b: a * b),
    ):
        expected, total = [], start
        for n in reversed(x) if reverse else x:
            expected.append(total if exclusive else step(total, n))
            total = step(total, n)
        expected = expected[::-1] if reverse else expected
        assert scan(np.array(x), axis=0, exclusive=exclusive, reverse=reverse).tolist() == expected


def test_slices_stay_inside() -> None:
    x = np.arange(12).reshape(3, 4)
    got = meaning.slice_(x, start=(2, 3), step=(-2, -1), size=(2, 3))
    assert np.array_equal(got, x[2::-2, 3:0:-1])
    with pytest.raises(IndexError):
        meaning.slice_(x, start=(0, 2), step=(1, 1), size=(3, 3))
    with pytest.raises(ValueError, match="from"):
        meaning.slice_(x, start=(-1, 0), step=(1, 1), size=(1, 4))


def test_windows_pads_and_joins() -> None:
    x = np.arange(7)
    got = meaning.window(x, axes=(0,), kernel=(2,), strides=(3,), dilations=(2,))
    assert got.tolist() == [[0, 2], [3, 5]]
    assert meaning.pad(x, np.array(9), low=(1,), high=(-5,)).tolist() == [9, 0, 1]
    assert meaning.concat(x[:1], x[3:4], axis=0).tolist() == [0, 3]
    assert meaning.iota(shape=(2, 2), axis=0, dtype=dt.I32).tolist() == [[0, 0], [1, 1]]


def test_positions_count_from_the_end_and_are_checked() -> None:
    x = np.arange(6).reshape(2, 3)
    assert meaning.gather(x, np.array([[-1, 0]]), axis=1).tolist() == [[[2, 0]], [[5, 3]]]
    assert meaning.gather_elements(x, np.array([[2, -3]]), axis=1).tolist() == [[2, 0]]
    assert meaning.gather_nd(x, np.array([[[1], [-1]], [[0], [0]]]), batch_dims=1).tolist() == [
        [1, 2],
        [3, 3],
    ]
    for take, index in (
        (lambda i: meaning.gather(x, i, axis=1), np.array([3])),
        (lambda i: meaning.gather_elements(x, i, axis=1), np.array([[3]])),
        (lambda i: meaning.gather_nd(x, i, batch_dims=0), np.array([[0, -4]])),
        (lambda i: meaning.scatter_nd(x, i, np.array([1]), reduction="none"), np.array([[2, 0]])),
    ):
        with pytest.raises(IndexError, match="out of range"):
            take(index)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("add", [1, 12, 3]), ("mul", [1, 40, 3]), ("max", [1, 5, 3]), ("min", [1, 2, 3])],
)
def test_updates_of_one_place_come_together(reduction: str, expected: list[int]) -> None:
    x, index, updates = np.array([1, 2, 3]), np.array([1, -2]), np.array([5, 4 if reduction == "mul" else 5])
    assert meaning.scatter_elements(x, index, updates, axis=0, reduction=reduction).tolist() == expected
    assert meaning.scatter_nd(x, index[:, None], updates, reduction=reduction).tolist() == expected
    assert x.tolist() == [1, 2, 3], "the tensor itself stays"
