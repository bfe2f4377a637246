"""Micro-kernels that cut their B: their inner loops, and that convolutions by transforms need no others."""

from __future__ import annotations

import pytest

from sardonyx.kernels.tiles.cutting import AHEAD_LINES, CuttingKernel, cutting_kernels, define_cutting
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.parts import LANES, PARTS
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.product.test_contract import innermost_loops

(TILE,) = (tile for tile in isa.V4.matrices if tile.name == "bf16x6")
SHAPE = MatrixShape(TILE)
REGISTERS = isa.with_features(isa.V4, TILE.features)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_step_has_six_terms_and_cuts_the_next_one_in_registers(rows: int) -> None:
    module = Module()
    name = define_cutting(module, CuttingKernel(SHAPE, rows))
    (loop,) = innermost_loops(engine.assembly(module.part(name), REGISTERS))
    counts = {word: sum(word in line for line in loop) for word in ("tdpbf16ps", "tileloadd", "prefetch")}
    assert counts["tdpbf16ps"] == 6 * rows * ACROSS
    # Of the six terms A is loaded for four, B for three.
    assert counts["tileloadd"] == 4 * rows + 3 * ACROSS
    assert counts["prefetch"] == LANES * (2 * ACROSS + AHEAD_LINES)
    stores = [line for line in loop if "%zmm" in line and line.rstrip().endswith(")")]
    assert len(stores) == LANES * ACROSS * PARTS
    assert not any("zmm" in line and "(%rsp)" in line for line in loop), "numbers are spilled"


def test_there_is_one_for_each_count_of_registers() -> None:
    module = Module()
    kernels = cutting_kernels(module, SHAPE)
    assert [kernel.text for kernel in kernels] == [f"@{CuttingKernel(SHAPE, n).name}" for n in (1, 2)]
    assert cutting_kernels(module, SHAPE) == kernels, "they are added once"
