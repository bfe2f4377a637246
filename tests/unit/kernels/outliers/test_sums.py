"""Micro-kernels of rows around a centre: sums of bytes and, where too many are far, of 16 bits are exact."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.kernels.outliers.rows import FACTS_BYTES, define_rows
from sardonyx.kernels.outliers.sums import SumKernel, SumWords, define_sums
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.outliers.numbers import numbers
from tests.unit.kernels.tiles.made import Made

GOAL = Goal(isa.V3)
SHAPE = TileShape.of(GOAL, "i8pairs")


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("kind", ["around", "every"])
def test_sums_of_a_tile(vectors: int, kind: str, rng: np.random.Generator) -> None:
    rows, steps, columns = 3, 43, vectors * SHAPE.lanes
    wide = GOAL.tile("i16").instruction

    def define(module: Module) -> tuple[str, str]:
        kernel = SumKernel(SHAPE, rows, vectors, wide)
        return define_rows(module, SHAPE.lanes, SHAPE.instruction), define_sums(module, kernel)

    made = Made(define)
    a = numbers(rng, kind, rows, 4 * steps)
    w = rng.integers(-128, 128, (4 * steps, columns)).astype(np.int8)
    packed, totals = (guarded(pack(w, GOAL), align=64) for pack in (pack_unsigned, column_totals))
    pitch = -(-4 * steps // 64) * 64 + 64
    laid_out = guarded(np.zeros(FACTS_BYTES + 10 * pitch, np.uint8), align=64)
    sums = guarded(np.full((rows, SHAPE.columns), 77, np.int32), align=64)
    made.call(made.names[0], laid_out, a, rows, 4 * steps, steps, pitch)
    words = np.zeros(len(SumWords), np.int64)
    words[SumWords.STEPS], words[SumWords.PITCH] = steps, pitch
    made.call(made.names[1], laid_out, packed, totals, sums, words, packed)
    assert np.array_equal(sums[:, :columns], a.astype(np.int64) @ w.astype(np.int64))
    assert (sums[:, columns:] == 77).all()
