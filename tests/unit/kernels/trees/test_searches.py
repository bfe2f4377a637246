"""Ordinals of a row count the thresholds that its features pass; NaN passes all and one more, or none."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.kernels.trees.arguments import Forest, Word
from sardonyx.kernels.trees.ordinals import ordinals_of
from sardonyx.kernels.trees.searches import Searches
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.kernels.trees.test_bits import tables
from tests.unit.kernels.trees.test_ordinals import WIDE, ordinals_of_row
from tests.unit.kernels.trees.test_trees import TARGETS
from tests.unit.llvm.written import run


@TARGETS
@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("step", [1, 3])
def test_ordinals_of_a_row(target: Target, mode: int, step: int) -> None:
    ordinals = ordinals_of(tables(40, 4, modes=(mode,), missing=True), WIDE)
    assert ordinals is not None and ordinals.missing
    count, length = ordinals.limits.shape
    x = np.array([7, 7, 7, 7, 7, 0, np.nan, -2, np.inf, -0.0], np.float32)
    places = [Word.X, Word.ASKED, Word.PIVOTS, Word.LIMITS]
    sizes = {Word.FEATURES: 5, Word.SEARCHES: count, Word.SEARCH_LIMITS: length}

    def write(f: Function, *arrays: V) -> list[V]:
        word = {word: int_(size) for word, size in sizes.items()}
        for place, array in zip(places, arrays, strict=True):
            word[place] = f.alloca(array.scalar, array.lanes)
            f.store(array, word[place])
        found = f.alloca("i8", 2 * count * step)
        f.store(int_(9, vector_of("i8", 2 * count * step)), found)
        forest = Forest(dt.F32, dt.F32, (mode,), True, "sum")
        Searches(f, forest, word).write(int_(1), found, step)
        return [f.load(found, vector_of("i8", 2 * count * step))]

    arrays = [x, ordinals.asked, ordinals.pivots.ravel(), ordinals.limits.ravel()]
    (got,) = run(write, *arrays, target=target)
    assert got.view(np.uint8)[::step].tolist() == ordinals_of_row(ordinals, x[5:]).tolist()
    assert step == 1 or set(got.reshape(-1, step)[:, 1:].ravel().tolist()) == {9}
