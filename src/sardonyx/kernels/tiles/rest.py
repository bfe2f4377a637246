"""What is left of k behind the whole registers of a panel of bytes: a step of its own.

B is copied for it, zeros behind: in memory another panel follows, or nothing. So what A holds there does not
count, but it must be readable.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.tiles.matrix import MatrixShape, MatrixWords
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Rest:
    """k steps of 4 bytes: those that fill registers, and what is left, for which `b` has room."""

    matrix: MatrixShape
    registers: V
    whole: V
    left: V
    present: V
    b: V
    descriptor: RegisterDescriptor

    @staticmethod
    def of(f: Function, matrix: MatrixShape, steps: V, b: V, words: Mapping[int, V], spare: V) -> Rest:
        """Tiles are summed as `words` of a descriptor say, with room to spare, and added to what is there."""
        registers = f.binary("udiv", steps, int_(matrix.k_step))
        whole = f.mul(registers, int_(matrix.k_step))
        left = f.sub(steps, whole)
        descriptor = RegisterDescriptor.of(f, matrix, {**words, MatrixWords.ADD: int_(1)}, spare)
        return Rest(matrix, registers, whole, left, f.icmp("ne", left, int_(0)), b, descriptor)

    def copy(self, f: Function, panel: V, width: V) -> None:
        """Copy what is left of a panel of `width` columns."""
        tile, steps = self.matrix.tile, vector_of("i32", self.matrix.tile.rows)
        row_bytes = f.mul(width, int_(self.matrix.number_bytes))
        source = f.gep(panel, f.mul(self.whole, row_bytes), "i8")
        count, room = f.mul(self.left, row_bytes), self.matrix.rows * tile.row_bytes
        with f.when(self.present), f.loop(int_(0), int_(room), tile.row_bytes) as line:
            inside = f.splat(f.icmp("slt", line.index, count), tile.rows)
            read = f.masked_load(f.gep(source, line.index, "i8"), steps, inside)
            f.store(read, f.gep(self.b, line.index, "i8"))

    def add(self, f: Function, kernel: V, a: V, tile: V, row: V) -> None:
        """Add the products of what is left to a tile, whose rows are `row` bytes apart."""
        with f.when(self.present):
            self.descriptor.set({MatrixWords.TILE_ROW: row})
            rest = f.gep(a, f.mul(self.whole, int_(self.matrix.number_bytes)), "i8")
            self.descriptor.sum(kernel, rest, self.b, int_(1), tile)
