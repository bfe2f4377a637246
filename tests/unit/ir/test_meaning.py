"""What primitives mean, by definition: loops over elements in exact arithmetic beside the array formulas."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
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


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    small = st.integers(1, 3)
    return {
        "strides": (draw(small), draw(small)),
        "dilations": (draw(small), draw(small)),
        "low": (draw(st.integers(0, 2)), 0),
        "high": (draw(st.integers(0, 2)), 1),
        "group": draw(st.integers(1, 2)),
        "kernel": (draw(small), draw(small)),
    }


@given(convolutions())
@settings(max_examples=30, deadline=None)
def test_convolution_and_its_gradient(case: dict[str, Any]) -> None:
    kernel, rng = case.pop("kernel"), np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 2 * case["group"], 7, 8)).astype(np.float32)
    w = rng.integers(-4, 5, (3 * case["group"], 2, *kernel)).astype(np.float32)
    y = meaning.conv(x, w, **case)
    padded = np.pad(x, ((0, 0), (0, 0), *zip(case["low"], case["high"], strict=True)))
    for place in np.ndindex(*y.shape):
        n, o, *at = place
        first = o // 3 * 2
        total = 0.0
        for i, tap in itertools.product(range(2), np.ndindex(*kernel)):
            steps = zip(at, case["strides"], tap, case["dilations"], strict=True)
            total += padded[(n, first + i, *(p * s + k * d for p, s, k, d in steps))] * w[(o, i, *tap)]
        assert y[place] == total
    back = {name: case[name] for name in ("strides", "dilations", "low", "group")}
    g = rng.integers(-4, 5, y.shape).astype(np.float64)
    gradient = meaning.conv_transpose(g, w, out=x.shape[2:], **back)
    assert np.sum(gradient * x) == np.sum(g * y), "the two are adjoint"


@pytest.mark.parametrize("largest", [100, 1 << 24, 1 << 40])
def test_a_convolution_of_whole_numbers_is_exact(largest: int) -> None:
    x, w = np.array([[[largest, 1, -largest]]]), np.array([[[largest + 1, 3]]])
    y = meaning.conv(x, w, strides=(1,), dilations=(1,), low=(0,), high=(0,), group=1)
    modulus = 1 << 64
    expected = [(largest * (largest + 1) + 3) % modulus, (largest + 1 - 3 * largest) % modulus]
    assert y.dtype == np.int64 and [v % modulus for v in y.reshape(-1).tolist()] == expected


def test_blocked_images_mean_the_same() -> None:
    rng = np.random.default_rng(1)
    x, w = (
        rng.integers(-3, 4, (1, 20, 5, 6)).astype(np.float32),
        rng.integers(-3, 4, (18, 20, 3, 2)).astype(np.float32),
    )
    plain = meaning.conv(x, w, strides=(1, 2), dilations=(1, 1), low=(0, 0), high=(0, 0), group=1)
    blocked = np.pad(x, ((0, 0), (0, 12), (0, 0), (0, 0))).reshape(1, 2, 16, 5, 6).transpose(0, 1, 3, 4, 2)
    got = meaning.conv_blocked(blocked, w, strides=(1, 2), dilations=(1, 1), group=1, channels=18, block=16)
    back = got.transpose(0, 1, 4, 2, 3).reshape(1, 32, *plain.shape[2:])
    assert np.array_equal(back[:, :18], plain)
    assert not back[:, 18:].any()


def test_products_are_accumulated_wide() -> None:
    a, b = np.float32([[1e8, 1, -1e8]]), np.float32([[1], [1], [1]])
    assert meaning.dot(a, b, dtype=dt.F32).tolist() == [[1.0]]
    assert meaning.dot(i8(100, 100)[None], i8(100, 100)[:, None], dtype=dt.I32).tolist() == [[20000]]
