"""Few tests of a product are kept, and every option is met."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from tests.spread import spread

PRODUCTS = [(2, 9), (9, 2), (2, 2), (5, 3, 2), (2, 2, 5, 3), (3, 3, 3), (7, 1, 4)]


def kept(tests: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [test for test, is_kept in zip(tests, spread(tests), strict=True) if is_kept]


@pytest.mark.parametrize("sizes", PRODUCTS, ids=str)
def test_a_product_is_as_small_as_the_second_longest_axis_makes_it(sizes: tuple[int, ...]) -> None:
    tests = list(product(*map(range, sizes)))
    found, (*shorter, longest) = kept(tests), sorted(sizes)
    assert len(found) <= -(-longest // shorter[-1]) * len(tests) // longest
    assert [set(axis) for axis in zip(*found, strict=True)] == [set(range(size)) for size in sizes]
    for one, other in combinations(range(len(sizes)), 2):
        if sizes[one] * sizes[other] * shorter[-1] <= len(tests):
            assert len({(test[one], test[other]) for test in found}) == sizes[one] * sizes[other]


def test_every_option_is_met_whatever_is_missing() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        tests = [test for test in product(range(3), range(4), range(5)) if rng.random() < 0.2]
        found = kept(tests)
        assert [set(axis) for axis in zip(*found, strict=True)] == [
            set(axis) for axis in zip(*tests, strict=True)
        ]


@pytest.mark.parametrize(
    "tests", [[], [(1, 2)], [(n, 7) for n in range(9)], [(n, f"{n}", -n) for n in range(9)]], ids=len
)
def test_all_are_kept_where_one_axis_varies(tests: list[tuple[int, ...]]) -> None:
    assert kept(tests) == tests
