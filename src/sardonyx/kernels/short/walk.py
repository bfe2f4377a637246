"""The loops of a product of few rows around micro-kernels that read weights of 24 bits.

Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.walk import Block, Weights
from sardonyx.kernels.short.choose import most_rows
from sardonyx.kernels.short.pack import GAP_BYTES
from sardonyx.kernels.tiles.ahead import Run
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, int_

_SHORT = Weights("short_")


def tile_shape(goal: Goal) -> TileShape:
    """The tile of few rows: bytes are read in one order, which the machine follows better by itself."""
    shape = TileShape.of(goal, "f32")
    return replace(shape, max_rows=most_rows(goal), short=True, prefetch=Prefetch(0))


def define_short_block(module: Module, goal: Goal) -> str:
    """Add a function as `define_block` does, for up to `most_rows` and no batches. Returns the name."""
    block = ShortBlock(module, goal, tile_shape(goal), _SHORT)
    block.write()
    return block.f.name


class ShortBlock(Block):
    """Writes the function."""

    def _load_words(self) -> None:
        super()._load_words()
        self.b_matrix = self.f.word(self.args, Gemm.SHORT, "ptr")

    def _place_b(self, width: V) -> tuple[V, Run]:
        f, shape = self.f, self.shape
        panel = f.add(f.mul(self.k, int_(shape.columns * shape.packed_bytes)), int_(GAP_BYTES))
        number = f.binary("udiv", self.n, int_(shape.columns))
        before = f.mul(f.mul(self.k0, width), int_(shape.packed_bytes))
        return f.gep(self.b_matrix, f.add(f.mul(number, panel), before), "i8"), Run(self.b_matrix, int_(0))
