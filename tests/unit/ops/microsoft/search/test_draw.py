"""Drawn tokens: the numbers of the generator, and which tokens may come at all."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, const, placeholder, scalar
from sardonyx.ops.microsoft.search.draw import Draw
from tests.unit.ops.formulas import computed

FACTOR, MODULUS = 16807, 2**31 - 1
ALL = Draw(1.0, -1e20, 1, custom=False)


def drawn(draw: Draw, rows: list[list[float]], state: int = 1) -> tuple[list[int], int]:
    tokens, after = computed(*draw.step(const(np.float32(rows)), scalar(state, dt.I64)))
    assert tokens.dtype == np.int32
    return tokens.tolist(), int(after)


def advanced(state: int, count: int) -> int:
    return state * pow(FACTOR, count, MODULUS) % MODULUS


@pytest.mark.parametrize(
    ("seed", "state"), [(None, 1), (0, 1), (12345, 12345), (MODULUS, 1), (MODULUS + 5, 5)]
)
def test_a_seed_is_the_state_and_never_nothing(seed: int | None, state: int) -> None:
    given: Value | None = None if seed is None else const(np.array([seed], np.int64))
    assert computed(ALL.start(given))[0] == state


def test_a_token_is_where_the_chances_reach_the_number() -> None:
    """Two numbers of the generator make one of double precision, as C++ makes it."""
    chances = np.array([0.1, 0.2, 0.3, 0.4])
    for state in (1, 7, 12345, MODULUS - 1):
        low, high = (advanced(state, n) - 1 for n in (1, 2))
        number = (low + high * (MODULUS - 1)) / (MODULUS - 1) ** 2
        expected = int((chances.cumsum() <= number).sum())
        assert drawn(ALL, [np.log(chances).tolist()], state) == ([expected], advanced(state, 2))


def test_each_row_has_numbers_of_its_own() -> None:
    row = [0.0, 0.0, 0.0, 0.0]
    tokens, after = drawn(ALL, [row] * 3, 99)
    assert tokens == [drawn(ALL, [row], advanced(99, 2 * n))[0][0] for n in range(3)]
    assert after == advanced(99, 6)


@pytest.mark.parametrize("state", [1, 5, 123, 99999, 2**30])
@pytest.mark.parametrize(
    ("draw", "possible"),
    [
        (Draw(0.0, -math.inf, 1, custom=False), {3}),
        (Draw(0.0, -math.inf, 2, custom=False), {2, 3}),
        (Draw(0.6, -math.inf, 1, custom=False), {2, 3}),
        (Draw(0.3, -math.inf, 0, custom=True), {3}),
        (Draw(0.5, -math.inf, 0, custom=True), {2, 3}),
    ],
)
def test_only_the_likeliest_are_drawn(draw: Draw, possible: set[int], state: int) -> None:
    chances = np.log([0.05, 0.15, 0.35, 0.45]).tolist()
    assert drawn(draw, [chances], state)[0][0] in possible


def test_more_than_all_cannot_be_kept() -> None:
    with pytest.raises(ShapeError, match="4 tokens cannot be kept, there are 4"):
        Draw(0.5, 0, 4, custom=False).step(placeholder("x", dt.F32, (1, 4)), scalar(1, dt.I64))
