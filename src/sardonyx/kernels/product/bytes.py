"""The loops of a product of bytes around micro-kernels on matrix registers.

B lies as tiles of vectors read it. What is left of k behind whole registers is a step of its own, for which B
is copied: behind a panel lies another one, or nothing. Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.matrix import MatrixBlock
from sardonyx.kernels.tiles.matrix import MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.rest import Rest
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_LANES = 16
_STEPS = vector_of("i32", _LANES)


def define_byte_block(module: Module, goal: Goal, tile: MatrixTile) -> str:
    """Add a function as `define_block` does; the registers are to be configured. Returns the name."""
    shape = MatrixShape(tile)
    sums = replace(TileShape.of(goal, tile.operand), max_rows=shape.rows)
    assert sums.columns == shape.rows and sums.lanes == tile.rows == _LANES
    block = _Block(module, goal, sums, shape, made=False)
    block.write()
    return block.f.name


class _Block(MatrixBlock):
    """Writes the function."""

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        self.copy_rows = define_copy_rows(module)

    def _set_mode(self) -> None:
        super()._set_mode()
        words: dict[int, V] = {MatrixWords.A_ROW: self.row_stride}
        self.rest = Rest.of(self.f, self.matrix, self.steps, self.b_split, words, self.spare)
        self.register_steps = self.rest.registers

    def _place_a(self) -> None:
        """Copy the block of A: rows end in whole registers and begin in different sets of L1."""
        f, shape, word = self.f, self.shape, self.word
        self.a_block = self.a_split
        first = f.add(self.m0, self.first_row)
        rows = f.sub(self.cut.begin(f, self.tiles.high), self.first_row)
        row_bytes = f.mul(word[Gemm.A_M], int_(shape.operand_bytes))
        at = f.add(f.mul(first, row_bytes), f.mul(self.k0, int_(shape.element)))
        source = f.gep(self.a, at, "i8")
        f.call(self.copy_rows, "void", self.a_block, source, rows, self.steps, self.row_stride, row_bytes)

    def _sum_panel(self, width: V, narrow: V, sums: V) -> None:
        self.rest.copy(self.f, self._packed_at(self.n, width), width)
        super()._sum_panel(width, narrow, sums)

    def _packed_panel(self, column: V, width: V) -> V:
        """Where this range of k begins in the panel of that column, as tiles of vectors have it."""
        return self._packed_at(column, width)

    def _sum(self, kernel: V, a: V, b: V, into: V) -> None:
        super()._sum(kernel, a, b, into)
        row = self.f.select(self.direct, self.c_row, int_(self.shape.panel_row_bytes))
        self.rest.add(self.f, kernel, a, into, row)


def define_copy_rows(module: Module) -> str:
    """Add `void @copy_u8s8(ptr to, ptr from, i64 rows, i64 steps, i64 pitch, i64 row)`; returns the name.

    Copies rows of `steps` times 4 bytes, `row` bytes apart, and writes whole registers, `pitch` bytes apart.
    """
    name = "copy_u8s8"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), *((n, "i64") for n in ("rows", "steps", "pitch", "row"))]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, rows, steps, pitch, row_bytes = f.params
    whole = f.binary("and", steps, int_(-_LANES))
    mask = f.tail_mask(f.sub(steps, whole), _LANES)
    with f.loop(int_(0), rows, 1, [to, source]) as row:
        into, out_of = row.carried
        with f.loop(int_(0), whole, _LANES) as full:
            f.store(f.load(f.gep(out_of, full.index, "i32"), _STEPS, 1), f.gep(into, full.index, "i32"), 1)
        with f.when(f.icmp("slt", whole, steps)):
            f.store(f.masked_load(f.gep(out_of, whole, "i32"), _STEPS, mask), f.gep(into, whole, "i32"), 1)
        row.next(f.gep(into, pitch, "i8"), f.gep(out_of, row_bytes, "i8"))
    f.ret()
    f.finish()
    return name
