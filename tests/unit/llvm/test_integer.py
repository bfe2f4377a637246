"""Whole numbers are divided, shifted and raised without traps: what C leaves open has one answer here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.llvm.integer import divide, literal_of, power, remainder, shift
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import Array, run

SIGNED, UNSIGNED = (np.int8, np.int16, np.int32, np.int64), (np.uint8, np.uint16, np.uint32, np.uint64)


def pairs(dtype: Any) -> tuple[Array, Array]:
    """Sixteen dividends and divisors, the smallest by minus one and zeros among them."""
    info = np.iinfo(dtype)
    a = [
        info.min,
        info.min,
        info.max,
        info.max,
        0,
        1,
        7,
        7,
        100,
        5,
        3,
        info.min,
        info.max,
        2,
        6,
        info.max - 1,
    ]
    b = [-1, 0, info.max, 2, 3, 0, 2, -2, 7, info.min, -1, 2, -3, 5, 6, -7]
    if info.min == 0:
        b = [abs(n) for n in b]
    return np.array(wrapped(a, dtype), dtype), np.array(wrapped(b, dtype), dtype)


def truncated(a: int, b: int) -> int:
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def wrapped(numbers: list[int], dtype: Any) -> list[int]:
    bits = np.dtype(dtype).itemsize * 8
    low = int(np.iinfo(dtype).min)
    return [(n - low) % (1 << bits) + low for n in numbers]


@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
def test_quotients_and_remainders_are_exact(dtype: Any) -> None:
    a, b = pairs(dtype)
    signed = np.iinfo(dtype).min < 0
    whole = [(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    results = run(
        lambda f, x, y: [
            divide(f, x, y, signed, None, None),
            remainder(f, x, y, signed, floored=False),
            remainder(f, x, y, signed, floored=True),
        ],
        a,
        b,
    )
    quotients = [truncated(x, y) for x, y in whole]
    expected = [
        quotients,
        [0 if y == 0 else x - q * y for (x, y), q in zip(whole, quotients, strict=True)],
        [0 if y == 0 else x % y for x, y in whole],
    ]
    for got, right in zip(results, expected, strict=True):
        assert got.view(dtype).tolist() == wrapped(right, dtype)


@pytest.mark.parametrize("known", [1, -1, 3, -4])
def test_a_known_divisor_means_the_same(known: int) -> None:
    a, _ = pairs(np.int32)
    (got,) = run(lambda f, x: [divide(f, x, int_(known, x.type), True, None, None)], a)
    assert got.tolist() == wrapped([truncated(int(x), known) for x in a], np.int32)


def test_zero_divisors_are_told_unless_their_lane_is_off() -> None:
    told: list[str] = []

    def write(f: Function, x: V, y: V, on: V) -> list[V]:
        result: list[V] = []

        def fail(code: str, condition: V) -> None:
            told.append(code)
            result.append(condition)

        divide(f, x, y, True, f.convert("trunc", on, "i1"), fail)
        return result

    a, b = np.ones(4, np.int32), np.array([1, 0, 2, 3], np.int32)
    assert run(write, a, b, np.array([1, 1, 1, 1], np.uint8))[0].tolist() == [True]
    assert run(write, a, b, np.array([1, 0, 1, 1], np.uint8))[0].tolist() == [False]
    assert set(told) == {"div0"}


@pytest.mark.parametrize("op", ["shl", "lshr", "ashr"])
def test_shifts_of_any_amount(op: str) -> None:
    a = np.array([-128, -1, 1, 127, 5, -5, 64, 3] * 2, np.int8)
    b = np.array([0, 1, 7, 8, 100, -1, 3, 2] * 2, np.int8)

    def exact(x: int, n: int) -> int:
        outside = not 0 <= n < 8
        if op == "ashr":
            return x >> (7 if outside else n)
        return 0 if outside else x << n if op == "shl" else (x & 0xFF) >> n

    expected = wrapped([exact(int(x), int(n)) for x, n in zip(a, b, strict=True)], np.int8)
    assert run(lambda f, x, n: [shift(f, x, n, op)], a, b)[0].tolist() == expected
    for known in (0, 3, 8, 200):
        expected = wrapped([exact(int(x), known) for x in a], np.int8)
        assert run(lambda f, x, n=known: [shift(f, x, int_(n, x.type), op)], a)[0].tolist() == expected


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_powers_wrap_and_negative_ones_truncate(dtype: Any) -> None:
    signed = np.iinfo(dtype).min < 0
    a = np.array([0, 1, 2, 3, -1 if signed else 9, 10, 7, 2**31 - 1] * 2).astype(dtype)
    b = np.array([0, 5, 31, 40, 3, 9, 1, 2] + ([0, -1, -2, -3, -3, -1, -9, 1] if signed else [1] * 8)).astype(
        dtype
    )

    def exact(x: int, n: int) -> int:
        return x**n if n >= 0 else {1: 1, -1: 1 if n % 2 == 0 else -1}.get(x, 0)

    expected = wrapped([exact(int(x), int(n)) for x, n in zip(a, b, strict=True)], dtype)
    assert run(lambda f, x, n: [power(f, x, n, signed)], a, b)[0].view(dtype).tolist() == expected
    for known in (0, 1, 2, 13):
        expected = wrapped([int(x) ** known for x in a], dtype)
        got = run(lambda f, x, n=known: [power(f, x, int_(n, x.type), signed)], a)[0]
        assert got.view(dtype).tolist() == expected


def test_constants_are_recognised() -> None:
    assert [literal_of(int_(n, t)) for n in (0, 1, -5) for t in ("i32", "<8 x i32>")] == [0, 0, 1, 1, -5, -5]
    assert [literal_of(int_(n, "i1")) for n in (0, 1)] == [0, 1]
    assert literal_of(V("%v1", "i32")) is None
