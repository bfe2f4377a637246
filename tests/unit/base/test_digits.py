"""Whole numbers of more bits than a type has are told; fractions, and what float32 holds, are not."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.digits import are_whole, lost_digits


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, (1 << 24) + 1], "16777217 becomes 16777216 in float32"),
        ([-(1 << 24) - 1], "-16777217 becomes -16777216 in float32"),
        ([1 << 24, (1 << 24) + 2, 1 << 60], ""),
        ([16777217.5, 0.1, np.nan, np.inf, 1e300], ""),
        ([], ""),
    ],
)
def test_lost(numbers: list[float], said: str) -> None:
    assert lost_digits(np.array(numbers, np.float64)) == said


@pytest.mark.parametrize(
    ("numbers", "kind", "said"),
    [
        (np.array([2048, 2049]), np.float16, "2049 becomes 2048 in float16"),
        (np.array([0.1, 2048.5, 70000.0]), np.float16, "70000 becomes inf in float16"),
        (np.array([2048.0, 4096.0, 0.1]), np.float16, ""),
        (np.array([2**53, 2**53 + 1]), np.float64, "9007199254740993 becomes 9007199254740992 in float64"),
        (np.array([2**53 + 1]), np.float32, "9007199254740993 becomes 9007199254740992 in float32"),
        (np.array([-(2**63), 2**62]), np.float64, ""),
        (np.array([2**63 - 1]), np.float64, "9223372036854775807 becomes 9223372036854775808 in float64"),
        (
            np.array([2**64 - 1], np.uint64),
            np.float64,
            "18446744073709551615 becomes 18446744073709551616 in",
        ),
        (
            np.array([2**70 + 1], object),
            np.float64,
            "1180591620717411303425 becomes 1180591620717411303424 in",
        ),
        (np.array([300], np.int16), np.float32, ""),
    ],
)
def test_of_any_type(numbers: np.ndarray, kind: type, said: str) -> None:
    assert lost_digits(numbers, kind).startswith(said) and bool(lost_digits(numbers, kind)) == bool(said)


@pytest.mark.parametrize("at", [None, 0, -1])
def test_whole_numbers_are_told_from_others(at: int | None) -> None:
    numbers = np.arange(2000, dtype=np.float32).reshape(50, 40)
    if at is not None:
        numbers[at, at] += 0.5
    assert are_whole(numbers) == are_whole(numbers.T) == (at is None)
    assert not are_whole(np.array([np.nan, 1]))
    assert are_whole(np.zeros((0, 3)))
