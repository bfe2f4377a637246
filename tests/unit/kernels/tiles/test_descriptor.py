"""A tile goes to scratch or at once where it belongs, each by its own descriptor."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.share import new_words
from sardonyx.kernels.tiles.descriptor import Descriptors, second_half
from sardonyx.kernels.tiles.microkernel import TileWords
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import run


def test_both_plans_have_common_words_and_their_own() -> None:
    def write(f: Function, _: V) -> list[V]:
        own = [{TileWords.TILE_ROW: int_(n)} for n in (1, 2)]
        descriptors = Descriptors.of(f, {TileWords.ROW: int_(7)}, *own)
        descriptors.set({TileWords.ENTRIES: int_(3)})
        descriptors.set_scratch({TileWords.MODE: int_(4)})
        descriptors.set_direct({TileWords.MODE: int_(5)})
        words = TileWords.ROW, TileWords.TILE_ROW, TileWords.ENTRIES, TileWords.MODE, TileWords.BIAS
        return [
            f.word(descriptor, w) for descriptor in (descriptors.scratch, descriptors.direct) for w in words
        ]

    assert [int(v[0]) for v in run(write, np.array([0]))] == [7, 1, 3, 4, 0, 7, 2, 3, 5, 0]


@pytest.mark.parametrize("direct", [0, 1])
def test_a_tile_goes_where_it_is_told(direct: int) -> None:
    """The kernel that is called notes where it was to write, and a word of its descriptor."""

    def write(f: Function, _: V) -> list[V]:
        pointers = [(name, "ptr") for name in ("a", "b", "into", "descriptor")]
        kernel = Function(f.module, "kernel", [*pointers[:3], ("half", "i64"), pointers[3], ("ahead", "ptr")])
        _, _, into, half, descriptor, _ = kernel.params
        kernel.store(kernel.add(kernel.word(descriptor, TileWords.TILE_ROW), half), into)
        kernel.ret()
        kernel.finish()
        descriptors = Descriptors.of(f, {}, {TileWords.TILE_ROW: int_(10)}, {TileWords.TILE_ROW: int_(20)})
        tile, to = new_words(f, {}, 1), new_words(f, {}, 1)
        is_direct = int_(direct, "i1")
        descriptors.sum(V("@kernel", "ptr"), (tile, tile, int_(3)), tile, to, is_direct, tile)
        return [f.word(tile, 0), f.word(to, 0)]

    assert [int(v[0]) for v in run(write, np.array([0]))] == ([0, 23] if direct else [13, 0])


@pytest.mark.parametrize(("rows", "before"), [(1, 1), (2, 1), (5, 3), (14, 7)])
def test_the_first_half_of_rows_is_the_larger(rows: int, before: int) -> None:
    (got,) = run(lambda f, n, row: [second_half(f, n, row)], np.array([rows]), np.array([64]))
    assert int(got[0]) == before * 64
