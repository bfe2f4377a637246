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
)


def quarters(x: np.ndarray) -> list[np.ndarray]:
    return [part for rows in np.split(x, 2) for part in np.split(rows, 2, 1)]


def test_seven_products_make_four_quarters() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 10, (6, 8)), rng.integers(-9, 10, (8, 4))
    known = quarters(b)
    rights = {number: known[quarter] for number, quarter in enumerate(RIGHT_QUARTERS)}
    assert len(rights) == PLAIN
    for product, minuend, subtrahend in DIFFERENCES:
        known.append(known[minuend] - known[subtrahend])
        rights[product] = known[-1]
    assert sorted(rights) == list(range(PRODUCTS))
    made = results([left @ rights[number] for number, left in enumerate(lefts(quarters(a)))])
    for ours, theirs in zip(made, quarters(a @ b), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_first_quarter_is_a_sum_of_plain_products() -> None:
    a = [np.float64(n) for n in (2, 3, 5, 7)]
    assert lefts(a)[:2] == a[:2]
    assert results([np.float64(2**n) for n in range(PRODUCTS)])[0] == 3
