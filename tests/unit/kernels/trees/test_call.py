"""Trees as a kernel reads them: nodes in bytes, as many walks as run side by side, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.value import Value, many
from sardonyx.kernels.trees.call import _depths, trees_calls
from sardonyx.kernels.trees.walks import BLOCK_ROWS
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array

# feature, mode, threshold, missing, yes, no, root, target, weight: one node and two leaves of one entry each.
STUMP: list[Array] = [
    np.array([1, 0, 0], np.int32),
    np.array([0, LEAF, LEAF], np.uint8),
    np.array([0.5, 0, 0], np.float32),
    np.zeros(3, np.bool_),
    np.array([1, 0, 1], np.int32),
    np.array([2, 1, 1], np.int32),
    np.array([0], np.int32),
    np.array([0, 1], np.int32),
    np.array([1, 2], np.float32),
]


def build(*given: Value) -> Sequence[Value]:
    rows = given[0].shape[0]
    attrs = {"targets": 2, "combine": "sum"}
    return many("trees", given, attrs, [(dt.F32, (rows, 2)), (dt.BOOL, (rows, 2))])


def changed(number: int, place: int, value: float) -> list[Array]:
    arrays = [a.copy() for a in STUMP]
    arrays[number][place] = value
    return arrays


def test_a_call_says_what_it_walks() -> None:
    (call,) = calls_of(trees_calls, build, [np.zeros((5, 2), np.float32), *STUMP], range(1, 10))
    assert call.plan == "1 trees of 3 nodes for 5 rows"
    assert isinstance(call.scratch_bytes, int)
    assert call.scratch_bytes >= BLOCK_ROWS * 2 * 9, "totals and truths of a block of rows"


@pytest.mark.parametrize(
    ("number", "place", "value"),
    [(6, 0, 3), (4, 0, -1), (5, 0, 9), (7, 1, 2), (4, 1, 3), (5, 2, 2), (0, 0, -1)],
)
def test_nodes_and_entries_that_do_not_exist_are_refused(number: int, place: int, value: float) -> None:
    with pytest.raises(ShapeError, match="do not exist"):
        calls_of(
            trees_calls, build, [np.zeros((5, 2), np.float32), *changed(number, place, value)], range(1, 10)
        )


def told(yes: list[int], no: list[int], leaves: list[int], roots: list[int]) -> dict[str, Array]:
    mode = np.zeros(len(yes), np.uint8)
    mode[leaves] = LEAF
    return {"mode": mode, "yes": np.array(yes), "no": np.array(no), "root": np.array(roots)}


def test_the_longest_walk_of_each_tree() -> None:
    shared = told([1, 2, 0, 2], [2, 2, 0, 1], [2], [0, 1, 2, 3])
    assert _depths(shared).tolist() == [2, 1, 0, 2]
    with pytest.raises(ShapeError, match="form a cycle"):
        _depths(told([1, 0, 0], [2, 2, 0], [2], [0]))
