"""Micro-kernels of levels times points: exact sums of a block of k, scaled and added as floats.

Decides instructions and registers; must not know matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.product.level_sums import LevelKernel, LevelWriter
from sardonyx.kernels.product.points import Facts
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.vec import Module, V, int_

_SIDE = 4
"""Points that one step multiplies."""


def define_point_sums(module: Module, shape: TileShape, bits: int, rows: int, *, shifts: bool) -> str:
    """Add the micro-kernel, as `LevelWriter` says, of rows of points and what is known of them; its name."""
    name = f"points{bits}_{rows}x{shape.vectors}{'shifted' if shifts else ''}"
    if not module.has(name):
        _Writer(module, LevelKernel(name, shape, bits, rows, shifts, GROUP)).write()
    return name


class _Writer(LevelWriter):
    def begun(self) -> list[V]:
        f, shape = self.f, self.shape
        if self.kernel.shifts:
            return [int_(0, self.words)] * (len(self.facts) * shape.vectors)
        starts = [f.load(f.gep(at, int_(Facts.START), "i32"), "i32") for at in self.facts]
        return [f.splat(start, shape.lanes) for start in starts for _ in range(shape.vectors)]

    def summed(self, rows: V, levels: V, sums: Sequence[V]) -> list[V]:
        shifts = range(0, 8, self.kernel.bits)
        steps = [[self._apart(v, n) for v in words] for words in self.word_rows(levels) for n in shifts]
        together = self.shape.instruction.steps
        for first in range(0, len(steps), together):
            sums = self._added(rows, steps, range(first, first + together), sums)
        return list(sums)

    def _apart(self, words: V, shift: int) -> V:
        """Bytes of one number each."""
        f, bits = self.f, self.kernel.bits
        if bits == 8:
            return words
        moved = f.binary("lshr", words, int_(shift, words.type)) if shift else words
        return f.binary("and", moved, int_(0x01010101 * ((1 << bits) - 1), words.type))

    def _added(self, rows: V, steps: Sequence[Sequence[V]], which: range, sums: Sequence[V]) -> list[V]:
        """The sums with those of the steps that are added at once."""
        f, shape, sums = self.f, self.shape, list(sums)
        for r, row in enumerate(self.rows):
            at = f.gep(rows, row, "i8")
            own = [f.splat(f.load(f.gep(at, int_(n * _SIDE), "i8"), "i32", 4), shape.lanes) for n in which]
            for j in range(shape.vectors):
                pairs = [(steps[n][j], point) for n, point in zip(which, own, strict=True)]
                index = r * shape.vectors + j
                sums[index] = add_steps(f, sums[index], pairs, shape.instruction)
        return sums

    def scaled(self, sums: Sequence[V], of_block: Sequence[V]) -> list[V]:
        f, vectors, sums = self.f, self.shape.vectors, list(sums)
        for index, whole in enumerate(of_block):
            r, j = divmod(index, vectors)
            number = f.convert("sitofp", whole, "float")
            if self.kernel.shifts:
                number = f.fma(self.vector(self.zeros, j), self._fact(r, Facts.SUM), number)
            number = f.binary("fmul", number, self._fact(r, Facts.STEP))
            sums[index] = f.fma(number, self.vector(self.scales, j), sums[index])
        return sums

    def _fact(self, row: int, which: Facts) -> V:
        f = self.f
        return f.splat(f.load(f.gep(self.facts[row], int_(which), "float"), "float"), self.shape.lanes)
