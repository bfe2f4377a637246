"""What a kernel of trees is generated for has a name of its own."""

from __future__ import annotations

import itertools

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.kernels.trees.arguments import SIZES, Word
from tests.unit.kernels.trees.test_driver import forest_of


def test_names() -> None:
    kinds = [
        forest_of(d, w, m, s, c)
        for d, w, m, s, c in itertools.product(
            (dt.F32, dt.F64), (dt.F32, dt.F64), ((0,), (1,)), (False, True), ("sum", "max")
        )
    ]
    assert len({forest.symbol for forest in kinds}) == len(kinds)
    sizes = [replace(kinds[0], **{name: 1}) for name in ("registers", "width", "bits", "ordinals", "abreast")]
    sizes.append(replace(kinds[0], layout=None))
    assert len({forest.symbol for forest in (kinds[0], *sizes)}) == 7


def test_words_that_are_numbers() -> None:
    assert {Word.ROWS, Word.FIRST, Word.LEAST_ROWS, Word.SEARCHES} < set(SIZES)
    assert not {Word.X, Word.ROOTS, Word.NAMED, Word.TOUCHED, Word.WORDS} & set(SIZES)


def test_weights_in_memory_are_whole_floats() -> None:
    kinds = [(dt.F16, dt.F32), (dt.F32, dt.F32), (dt.F64, dt.F64)]
    assert all(forest_of(dt.F32, kind, (0,), False, "sum").stored is stored for kind, stored in kinds)
