"""Seven products of quarters are the whole product, in whole numbers exactly."""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.strassen.scheme import (
    DIFFERENCES,
    PLAIN,
    PRODUCTS,
    RIGHT_QUARTERS,
    lefts,
    results,
    right_sums,
)


def quarters(x: np.ndarray) -> list[np.ndarray]:
    return [part for rows in np.split(x, 2) for part in np.split(rows, 2, 1)]


def test_seven_products_make_four_quarters() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 10, (6, 8)), rng.integers(-9, 10, (8, 4))
    q = quarters(b)
    rights = [*(q[n] for n in RIGHT_QUARTERS), *right_sums(q)]
    assert len(rights) == PRODUCTS
    assert len(rights) - len(right_sums(q)) == PLAIN
    made = results([x @ y for x, y in zip(lefts(quarters(a)), rights, strict=True)])
    for ours, theirs in zip(made, quarters(a @ b), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_other_right_operands_are_differences_of_two() -> None:
    b = np.random.default_rng(1).integers(-9, 10, 4)
    known, rights = list(b), dict(enumerate(b[q] for q in RIGHT_QUARTERS))
    for product, minuend, subtrahend in DIFFERENCES:
        known.append(known[minuend] - known[subtrahend])
        rights[product] = known[-1]
    assert [rights[n] for n in range(PLAIN, PRODUCTS)] == right_sums(b)


def test_the_first_quarter_is_a_sum_of_plain_products() -> None:
    a = [np.float64(n) for n in (2, 3, 5, 7)]
    assert lefts(a)[:2] == a[:2]
    assert results([np.float64(2**n) for n in range(PRODUCTS)])[0] == 3
