"""The words of a descriptor for matrix registers follow from the panel, its planes, and what is behind it."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.share import new_words
from sardonyx.kernels.tiles.matrix import ACROSS, ASKS, MatrixShape, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.llvm.vec import Function, V, int_
from sardonyx.targets.x86_64 import isa
from tests.unit.llvm.written import run

SHAPES = [MatrixShape(tile) for tile in isa.V4.matrices]
NAMES = [shape.tile.name for shape in SHAPES]


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
@pytest.mark.parametrize("narrow", [0, 1])
def test_a_step_is_all_planes_of_a_panel(shape: MatrixShape, narrow: int) -> None:
    def write(f: Function, _: V) -> list[V]:
        descriptor = RegisterDescriptor.of(f, shape, {MatrixWords.A_ROW: int_(5)}, new_words(f, {}, 1))
        told = descriptor.set_panel(int_(narrow, "i1"), 3)
        words = MatrixWords.A_ROW, MatrixWords.B_STEP
        return [*told, *(f.word(descriptor.words, w) for w in words)]

    plane = shape.register_bytes * (1 if narrow else ACROSS)
    got = [int(v[0]) for v in run(write, np.array([0]))]
    assert got == [3 * plane, plane, 5, 3 * plane]


@pytest.mark.parametrize("special", [0, 1])
def test_finite_numbers_are_apart_only_where_some_are_not(special: int) -> None:
    def write(f: Function, found: V) -> list[V]:
        descriptor = RegisterDescriptor.of(f, SHAPES[1], {}, new_words(f, {}, 1))
        descriptor.set_finite(MatrixWords.A_FINITE, int_(4096), found)
        return [f.word(descriptor.words, MatrixWords.A_FINITE)]

    (got,) = run(write, np.array([special]))
    assert int(got[0]) == special * SHAPES[1].planes * 4096


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
@pytest.mark.parametrize("tiles", [1, 2, 3, 50])
@pytest.mark.parametrize("full", [0, 1])
def test_tiles_share_a_full_panel_that_follows(shape: MatrixShape, tiles: int, full: int) -> None:
    steps = 7
    words = MatrixWords.LINES, MatrixWords.AHEAD_LAST

    def write(f: Function, base: V) -> list[V]:
        descriptor = RegisterDescriptor.of(f, shape, {}, new_words(f, {}, 1))
        begin = f.value("ptr", f"inttoptr {base} to ptr")
        ahead = descriptor.ahead(begin, int_(full, "i1"), int_(tiles), int_(steps))
        address = f.convert("ptrtoint", ahead.address, "i64")
        return [f.sub(address, base), ahead.per_tile, *(f.word(descriptor.words, w) for w in words)]

    base, panel = 1 << 40, ACROSS * shape.register_bytes * shape.planes * steps
    address, per_tile, lines, last = (int(v[0]) for v in run(write, np.array([base])))
    assert (address, last) == (0, base + panel - CACHE_LINE)
    if full:
        assert per_tile == lines * ASKS * len(shape.terms) * CACHE_LINE * steps
        assert per_tile * (tiles - 1) < panel <= per_tile * tiles or lines == 1
    else:
        assert lines == 0
