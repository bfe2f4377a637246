"""A vector of few columns has steps of k side by side, up to the last element of an entry and no further."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.beside import BesideKernel, define, lanes_of, pack_beside
from sardonyx.kernels.tiles.microkernel import Mode, TileWords
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import bits, guarded
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.kernels.tiles.made import Made, shape_of

STEPS = (9, 1, 16, 3)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("columns", "rows"), [(1, 5), (2, 1), (3, 4), (4, 5)])
def test_lanes_of_columns_are_added(columns: int, rows: int, mode: Mode) -> None:
    shape, rng = shape_of("f32"), np.random.default_rng(rows)
    together = lanes_of(columns, shape.lanes)
    kernel = BesideKernel(shape, rows, 1, together=together)
    made = Made(lambda module: define(module, kernel))
    a = [rng.integers(-4, 5, (rows, steps)).astype(np.float32) for steps in STEPS]
    whole = np.concatenate(a, axis=1)
    b = rng.integers(-4, 5, (sum(STEPS), columns)).astype(np.float32)
    packed = guarded(pack_beside(b, STEPS, together, shape.lanes), align=64)
    # Behind each entry lies NaN, which is not to be multiplied, and behind the last row nothing.
    padded = np.full((rows, len(STEPS), max(STEPS)), np.nan, np.float32)
    for entry, part in enumerate(a):
        padded[:, entry, : part.shape[1]] = part
    held = guarded(padded.ravel()[: padded.size - max(STEPS) + STEPS[-1]])
    table = np.array([(entry * max(STEPS) * 4, steps, 0) for entry, steps in enumerate(STEPS)])
    sums = np.zeros((rows, shape.lanes), np.float32)
    sums[:, :columns] = whole @ b
    before = np.full((rows, shape.lanes), 7, np.float32)
    bias = np.arange(shape.lanes, dtype=np.float32)
    residual = np.arange(rows * shape.lanes, dtype=np.float32).reshape(rows, shape.lanes)
    tile, row = guarded(before), len(STEPS) * max(STEPS) * 4
    descriptor = np.zeros(len(TileWords), np.int64)
    words = {
        TileWords.TABLE: table.ctypes.data,
        TileWords.ENTRIES: len(STEPS),
        TileWords.ROW: row,
        TileWords.MODE: mode,
        TileWords.TILE_ROW: shape.lanes * 4,
        TileWords.BIAS: bias.ctypes.data,
        TileWords.LOW: bits(-20, "float32"),
        TileWords.HIGH: bits(30, "float32"),
        TileWords.RESIDUAL: residual.ctypes.data,
        TileWords.RESIDUAL_ROW: shape.lanes * 4,
    }
    lines = {TileWords.SLOPE: 0.5, TileWords.SHIFT: 1, TileWords.SCALE: 0.25, TileWords.OFFSET: 3}
    words |= {word: bits(number, "float32") for word, number in lines.items()}
    slopes = np.arange(-2, shape.lanes - 2, dtype=np.float32) / 8
    words |= {TileWords.SLOPES: slopes.ctypes.data}
    for word, value in words.items():
        descriptor[word] = value
    made.call(kernel.name, held, packed, tile, kernel.half * row, descriptor, packed)
    finished = np.clip(sums + bias + residual, -20, 30)
    gated = (sums + bias) * np.clip((sums + bias) * 0.5 + 1, -20, 30) * 0.25 + 3
    leaked = (sums + bias) * np.where(sums + bias < 0, slopes, np.float32(1))
    limited = np.clip(sums + bias, -20, 30)
    ends = {Mode.FINISH: finished, Mode.LIMIT: limited, Mode.GATE: gated, Mode.LEAK: leaked}
    expected = {Mode.STORE: sums, Mode.ADD: sums + before, **ends}[mode]
    assert np.array_equal(tile, expected)


def test_columns_share_a_vector_that_they_leave_half_empty() -> None:
    assert [lanes_of(columns, 16) for columns in (1, 2, 3, 4, 5, 8, 9, 16)] == [16, 8, 4, 4, 2, 2, 1, 1]


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
def test_sums_stay_in_registers(target: isa.Target) -> None:
    shape = TileShape.of(Goal(target), "f32")
    for together in (2, shape.lanes // 2):
        module = Module()
        name = define(module, BesideKernel(shape, shape.max_rows, 1, together=together))
        loops = innermost_loops(engine.assembly(module.part(name), target))
        assert loops
        assert not [line for loop in loops for line in loop if "(%rsp)" in line and "mm" in line]
