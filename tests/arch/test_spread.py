"""Few tests of a product are kept, and every option is met."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.spread import spread

PRODUCTS = [(2, 9), (9, 2), (2, 2), (5, 3, 2), (2, 2, 5, 3), (3, 3, 3), (7, 1, 4)]


def kept(tests: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [test for test, is_kept in zip(tests, spread(tests), strict=True) if is_kept]


@pytest.mark.parametrize("sizes", PRODUCTS, ids=str)
def test_a_product_is_as_small_as_its_longest_axis(sizes: tuple[int, ...]) -> None:
    found = kept(list(product(*map(range, sizes))))
    assert len(found) == max(sizes)
    assert [set(axis) for axis in zip(*found, strict=True)] == [set(range(size)) for size in sizes]


@pytest.mark.parametrize("sizes", [(9, 3, 2), (4, 2, 2), (2, 3, 12)], ids=str)
def test_shorter_axes_meet_where_there_is_room(sizes: tuple[int, ...]) -> None:
    found = kept(list(product(*map(range, sizes))))
    longest = sizes.index(max(sizes))
    one, other = (place for place in range(3) if place != longest)
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
