"""The loops of a product of few rows around micro-kernels that read weights of 24 bits.

Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.walk import Block, Weights
from sardonyx.kernels.share import round_up
from sardonyx.kernels.short.choose import TWO_STREAMS, most_rows
from sardonyx.kernels.short.pack import GAP_BYTES
from sardonyx.kernels.tiles.ahead import Run
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, int_

_SHORT = Weights("short_")


def tile_shape(goal: Goal) -> TileShape:
    """The tile of few rows: bytes are read in one order, which the machine follows better by itself.

    Or in two side by side, and asked for, where that fetches more.
    """
    prefetch = Prefetch(1, few_bytes=1 << 10, streams=2) if goal.target.has(TWO_STREAMS) else Prefetch(0)
    return replace(TileShape.of(goal, "f32"), max_rows=most_rows(goal), short=True, prefetch=prefetch)


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
        first = f.add(f.mul(number, panel), before)
        behind = f.add(first, f.mul(f.mul(self.steps, width), int_(shape.packed_bytes)))
        left = f.sub(self._end(), behind)
        return f.gep(self.b_matrix, first, "i8"), Run(f.gep(self.b_matrix, behind, "i8"), left)

    def _end(self) -> V:
        """Where the last of the panels to read ends, in bytes."""
        f, shape, high = self.f, self.shape, self.panels.high
        columns = round_up(f, self.word[Gemm.N], shape.lanes)
        columns = f.smin(f.mul(high, int_(shape.columns)), columns)
        numbers = f.mul(f.mul(columns, self.k), int_(shape.packed_bytes))
        return f.add(numbers, f.mul(f.sub(high, int_(1)), int_(GAP_BYTES)))
