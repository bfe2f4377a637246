"""The loops of a product with weights of few bits around micro-kernels on matrix registers.

A panel becomes floats, which are split as those of any other B are. Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.product.blockwise import define_unpack
from sardonyx.kernels.product.matrix import MatrixBlock
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V


def define_level_matrix_block(module: Module, goal: Goal, tile: MatrixTile, bits: int) -> str:
    """Add a function as `define_block` does; the registers are to be configured. Returns the name."""
    shape = MatrixShape(tile)
    sums = replace(TileShape.of(goal, tile.operand), max_rows=shape.rows)
    block = LevelMatrixBlock(module, goal, sums, shape, made=True, bits=bits)
    block.write()
    return block.f.name


class LevelMatrixBlock(MatrixBlock):
    """Writes the function."""

    def _define_parts(self, module: Module) -> None:
        super()._define_parts(module)
        self.unpack = define_unpack(module, self.shape, self.weights.bits)

    def _make_floats(self, width: V) -> None:
        self._unpack(self.floats, width)
