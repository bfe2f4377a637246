"""Rows walk alone or in blocks: both ways give the same bits, and fit what is set aside for them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.target import Target
from sardonyx.ir.value import Value, many
from sardonyx.kernels.trees.walks import BLOCK_ROWS, MANY_ROWS, scratch_bytes
from tests.unit.kernels.compiled import Array, graph_of, natives
from tests.unit.kernels.trees.test_driver import forest_of
from tests.unit.kernels.trees.test_trees import CONSTANT, TARGETS, grown, rows_of


def totals(x: Array, forest: list[Array], target: Target) -> Array:
    def build(*values: Value) -> tuple[Value, ...]:
        shape = (values[0].shape[0], 3)
        return many("trees", values, {"targets": 3, "combine": "sum"}, [(dt.F32, shape), (dt.BOOL, shape)])

    ((total, _),) = natives(graph_of(build, [x, *forest], CONSTANT), target, [x], (1,))
    return total


@TARGETS
@pytest.mark.parametrize("outputs", [0, 1])
def test_a_row_has_the_same_bits_whatever_is_beside_it(target: Target, outputs: int) -> None:
    forest = grown(30, 9, outputs=outputs)
    x = rows_of(MANY_ROWS)
    alone = np.concatenate([totals(row[None], forest, target) for row in x[:5]])
    assert np.array_equal(totals(x, forest, target)[:5], alone)
    assert np.array_equal(totals(x[: MANY_ROWS - 1], forest, target)[:5], alone)


def test_scratch_holds_a_block_of_rows() -> None:
    target, forest = targets.detect(), forest_of(dt.F32, dt.F32, (0,), False, "sum")
    bare = scratch_bytes(forest, 10, target)
    assert bare >= BLOCK_ROWS * 10 * 9
    assert scratch_bytes(forest, 11, target) == bare + BLOCK_ROWS * 9
    assert scratch_bytes(replace(forest, registers=2), 10, target) == bare + BLOCK_ROWS * 2 * target.lanes * 4
