"""Tiles of one vector have as many sums as those of all, in registers."""

from __future__ import annotations

import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.tiles.microkernel import MicroKernel, define
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.tiles.tall import tall_rows
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.product.test_contract import innermost_loops


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
def test_sums_stay_in_registers(target: Target) -> None:
    shape, module = TileShape.of(Goal(target), "f32"), Module()
    name = define(module, MicroKernel(shape, tall_rows(shape), 1))
    loops = innermost_loops(engine.assembly(module.part(name), target))
    summing = [loop for loop in loops if sum("vfmadd" in line for line in loop) >= tall_rows(shape)]
    summing = [loop for loop in summing if not any("maxps" in line for line in loop)]
    assert len(summing) == 2, "steps one by one, and unrolled"
    assert not [line for loop in summing for line in loop if "(%rsp)" in line]
