"""Samples walk down trees as nested conditions do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.trees import COMPARISONS, LEAF, trees

# Tree 0: x0 <mode> 1 ? (x1 < 0, NaN too ? leaf A : leaf B) : leaf C; tree 1: leaf D alone.
FEATURE, THRESHOLD = np.array([0, 1, 0, 0, 0, 0]), np.array([1.0, 0, 0, 0, 0, 0])
MISSING = np.array([False, True, False, False, False, False])
YES, NO = np.array([1, 2, 0, 1, 2, 3]), np.array([4, 3, 1, 1, 1, 2])
TARGET, WEIGHT = np.array([0, 1, 1, 0, 1]), np.array([1.0, 2, 4, 8, 16])
ROOT = np.array([0, 5])


def run(x: Any, first: int = 0, combine: str = "sum", targets: int = 3) -> Any:
    mode = np.array([first, 1, LEAF, LEAF, LEAF, LEAF])
    nodes = (FEATURE, mode, THRESHOLD, MISSING, YES, NO, ROOT)
    return trees(np.array(x, np.float64), *nodes, TARGET, WEIGHT, targets=targets, combine=combine)


def test_leaves_add_to_their_targets() -> None:
    total, touched = run([[0, -1], [0, np.nan], [0, 5], [2, 0], [np.nan, 0]])
    assert total.tolist() == [[9, 16, 0], [9, 16, 0], [8, 18, 0], [8, 20, 0], [8, 20, 0]]
    assert touched.tolist() == [[True, True, False]] * 5


@pytest.mark.parametrize("mode", range(LEAF))
def test_every_comparison(mode: int) -> None:
    for value in (0.0, 1.0, 2.0):
        (total,), _ = run([[value, 5]], mode)
        assert total[1] == (18 if COMPARISONS[mode](value, 1.0) else 20)


@pytest.mark.parametrize(("combine", "expected"), [("min", [8, 2, 0]), ("max", [8, 16, 0])])
def test_extrema(combine: str, expected: list[float]) -> None:
    assert run([[0, 5]], combine=combine)[0].tolist() == [expected]


def test_no_sample_and_the_type_of_weights() -> None:
    total, touched = run(np.zeros((0, 2)))
    assert (total.shape, touched.shape, total.dtype) == ((0, 3), (0, 3), np.float64)
