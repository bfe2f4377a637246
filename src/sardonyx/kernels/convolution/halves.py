"""The loops of a convolution of numbers that are those of matrix registers already; must not know threads."""

from __future__ import annotations

from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.tiles.matrix import kernels
from sardonyx.kernels.tiles.split import define_join_blocks
from sardonyx.llvm.vec import Module, V


class HalvesBandBlock(BandBlock):
    """Writes the function: a band takes the channels of a pixel together, and splits nothing."""

    suffix = "halves_"
    a_type = "i16"

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        self.split = [V(f"@{define_join_blocks(module, self.matrix, self.shape.block)}", "ptr")]
