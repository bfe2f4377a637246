"""Tiles of one vector with as many sums as those of all vectors have: more rows, of which each is a load.

Decides which micro-kernels these are; must not know what rows and columns mean.
"""

from __future__ import annotations

from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.microkernel import MicroKernel, define
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

PICK = "sdx_pick_tall_f32"
"""The symbol of what picks a micro-kernel of floats."""

_WIDEST_BYTES = 64
"""Of vectors whose instructions take a single element from memory."""

_HELD = 4
"""Sums fewer where an element takes a register before, beside what unrolled steps read of the vector."""


def tall_rows(shape: TileShape) -> int:
    """The most rows of a tile of one vector."""
    takes_single = shape.lanes * shape.element == _WIDEST_BYTES
    return shape.max_rows * shape.vectors - (0 if takes_single else _HELD)


def define_tall(module: Module, goal: Goal) -> None:
    """Add `ptr @{PICK}(i64 rows, i1, i1)` for more rows than `define_pick` serves, and its micro-kernels."""
    shape = TileShape.of(goal, "f32")
    params = [("rows", "i64"), ("narrow", "i1"), ("few", "i1")]
    f = Function(module, PICK, params, "ptr", attributes="nounwind noinline")
    picked = V("null", "ptr")
    for count in range(shape.max_rows + 1, tall_rows(shape) + 1):
        kernel = V(f"@{define(module, MicroKernel(shape, count, 1))}", "ptr")
        picked = f.select(f.icmp("eq", f.params[0], int_(count)), kernel, picked)
    f.ret(picked)
    f.finish()
