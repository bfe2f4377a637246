"""The loops of one matrix product around micro-kernels on matrix registers.

A block of A is split into the numbers of registers before it is multiplied, a B that is not packed panel by
panel. Must not know threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.walk import DYNAMIC, PACKED, Block, Weights, blockwise
from sardonyx.kernels.scratch import SUM_BYTES
from sardonyx.kernels.share import Groups, ceil_div, evenly, new_words, round_up, set_word
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.matrix import ACROSS, SPARE_BYTES, MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, prefetch
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.kernels.tiles.split import define_split_panel, define_split_rows
from sardonyx.llvm.vec import Module, V, int_

_ROW_GAP = CACHE_LINE
"""Bytes behind a row of A, without which rows of many sizes would begin in one L1 set."""

_LEVEL = 2
"""The cache that results are asked to."""

_TILES_TOGETHER = 8
"""Tiles of rows that are worth keeping in L2 together before the k range is cut."""


def define_matrix_block(module: Module, goal: Goal, tile: MatrixTile, *, made: bool) -> str:
    """Add a function as `define_block` does; the registers are to be configured. Returns the name."""
    shape = MatrixShape(tile)
    sums = replace(TileShape.of(goal, tile.operand), max_rows=shape.rows)
    assert sums.columns == shape.rows
    block = MatrixBlock(module, goal, sums, shape, made=made)
    block.write()
    return block.f.name


class MatrixBlock(Block):
    """Writes the function; `purpose` begins its name where it is another one."""

    purpose = ""
    strip_rows = 128

    def __init__(
        self, module: Module, goal: Goal, sums: TileShape, matrix: MatrixShape, *, made: bool, bits: int = 0
    ) -> None:
        self.matrix = matrix
        name = self.purpose + prefix(matrix.tile, made=made, bits=bits)
        super().__init__(module, goal, sums, Weights(name, made, bits))

    def _define_parts(self, module: Module) -> None:
        matrix = self.matrix
        self.kernels = kernels(module, matrix)
        self.split_rows = [define_split_rows(module, matrix, careful=c) for c in (False, True)]
        if self.weights.made:
            self.split_panel = [
                [define_split_panel(module, matrix, n, careful=c) for c in (False, True)]
                for n in range(1, ACROSS + 1)
            ]

    def _cut_rows(self) -> Groups:
        """Full tiles, but for the last."""
        return Groups.of(self.f, self.rows, self.matrix.rows)

    def _choose_blocks(self) -> None:
        """Keep a block of A beside two panels of B in L2; cut k only if too few rows of A would fit."""
        f, matrix, tiles = self.f, self.matrix, self.cut.parts
        each = matrix.planes * matrix.number_bytes
        budget = f.binary("udiv", f.mul(self.word[Gemm.L2_BYTES], int_(3)), int_(4 * each))
        beside = 2 * self.shape.columns
        k = f.smax(self.k, int_(1))
        together = f.mul(f.smin(tiles, int_(_TILES_TOGETHER)), int_(matrix.rows))
        longest = f.binary("udiv", budget, f.add(together, int_(beside)))
        self.k_block = round_up(f, evenly(f, k, longest), matrix.k_step)
        self.k_is_cut = f.icmp("slt", self.k_block, self.k)
        room = f.sub(f.binary("udiv", budget, self.k_block), int_(beside))
        fitting = f.smax(f.binary("sdiv", room, int_(matrix.rows)), int_(1))
        self.tiles_per_block = evenly(f, tiles, fitting)
        room = int_(SUM_BYTES)
        if not self.weights.made:
            room = f.add(room, f.binary("udiv", self.word[Gemm.L2_BYTES], int_(4)))
        sums = f.binary("udiv", room, f.mul(self.tiles_per_block, int_(self.shape.tile_bytes)))
        self.panels_per_block = f.select(self.k_is_cut, f.smax(sums, int_(1)), f.sub(self.p1, self.p0))

    def _lay_out_scratch(self) -> None:
        """Sums of tiles, spare ones, planes of a block of A, floats to be split, planes of a panel of B."""
        f, shape, matrix = self.f, self.shape, self.matrix
        self.sums = f.word(self.ctx, Context.SCRATCH, "ptr")
        tiles = f.select(self.k_is_cut, f.mul(self.tiles_per_block, self.panels_per_block), int_(STRIP_TILES))
        self.spare = f.gep(self.sums, f.mul(tiles, int_(shape.tile_bytes)), "i8")
        self.a_split = f.gep(self.spare, int_(SPARE_BYTES), "i8")
        self.a_plane = f.mul(self.k_block, int_(matrix.number_bytes))
        planes = int_(len(matrix.held))
        self.row_stride = f.add(f.mul(self.a_plane, planes), int_(_ROW_GAP))
        self.copied = f.icmp("ne", self.word[Gemm.A_K], int_(1))
        rows = f.mul(self.tiles_per_block, int_(matrix.rows))
        self.floats = f.gep(self.a_split, f.mul(rows, self.row_stride), "i8")
        size = f.mul(self.k_block, int_(matrix.rows * shape.element))
        self.b_split = f.gep(self.floats, size, "i8")

    def _make_tile_words(self) -> None:
        f, shape, word = self.f, self.shape, self.word
        self.c_row = f.mul(word[Gemm.C_M], int_(shape.element))
        self.residual_row = f.mul(word[Gemm.R_M], int_(shape.element))
        words: dict[int, V] = {
            MatrixWords.A_ROW: self.row_stride,
            MatrixWords.A_LOW: self.a_plane,
        }
        self.descriptor = RegisterDescriptor.of(f, self.matrix, words, self.spare)
        self.strides = new_words(f, {}, 3)
        self.split_strides = new_words(f, {}, 3)
        plain = f.binary("xor", self.end.finishing, int_(1, "i1"))
        full = f.binary("urem", self.rows, int_(self.matrix.tile.rows))
        plain = f.binary("and", plain, f.icmp("eq", full, int_(0)))
        self.may_be_direct = f.binary("and", self.end.unfused, plain)

    def _set_mode(self) -> None:
        f = self.f
        self.register_steps = ceil_div(f, self.steps, int_(self.matrix.k_step))
        self.descriptor.set({MatrixWords.ADD: f.convert("zext", f.icmp("ne", self.k0, int_(0)), "i64")})

    def _place_a(self) -> None:
        """Split the block of A; once more, and with care, if it holds what has no two parts."""
        f = self.f
        self.a_block = self.a_split
        special = self._split_a(self.split_rows[0])
        with f.when(f.icmp("ne", special, int_(0))):
            self._split_a(self.split_rows[1])
        self.descriptor.set_finite(MatrixWords.A_FINITE, self.a_plane, special)

    def _split_a(self, split: str) -> V:
        """Split the rows of a tile at a time, which are copied before if their columns are strided."""
        f, shape, word = self.f, self.shape, self.word
        row_bytes = f.mul(word[Gemm.A_M], int_(shape.element))
        copy_pitch = round_up(f, self.steps, shape.lanes)
        copy_bytes = f.mul(copy_pitch, int_(shape.element))
        strides = self.row_stride, self.a_plane, f.select(self.copied, copy_bytes, row_bytes)
        for n, stride in enumerate(strides):
            set_word(f, self.split_strides, n, stride)
        column = f.mul(self.k0, word[Gemm.A_K])
        with f.loop(self.tiles.low, self.tiles.high, 1, [int_(0)]) as tile:
            first, count = self.cut.begin(f, tile.index), self.cut.size(f, tile.index)
            at = f.add(f.mul(f.add(self.m0, first), word[Gemm.A_M]), column)
            source = f.gep(self.a, at, shape.dtype)
            with f.when(self.copied):
                how = copy_pitch, word[Gemm.A_M], word[Gemm.A_K]
                self._copy(self.floats, source, count, self.steps, *how)
            source = f.select(self.copied, self.floats, source)
            into = f.gep(self.a_split, f.mul(f.sub(first, self.first_row), self.row_stride), "i8")
            found = f.call(split, "i64", into, source, count, self.steps, self.split_strides)
            tile.next(f.binary("or", tile.carried[0], found))
        return tile.carried[0]

    def _sum_panel(self, width: V, narrow: V, sums: V) -> None:
        f, matrix = self.f, self.matrix
        planes = len(matrix.held) if self.weights.made else matrix.planes
        self.registers_step, self.registers_plane = self.descriptor.set_panel(narrow, planes)
        b = self._made_panel(width, narrow) if self.weights.made else self._packed_panel(self.n, width)
        by_rows = [f.select(narrow, *pair) for pair in self.kernels]
        row = f.select(self.direct, self.c_row, int_(self.shape.panel_row_bytes))
        self.descriptor.set({MatrixWords.TILE_ROW: row})

        def tile(t: V, position: Sequence[V], later: V, into: V) -> V:
            del position
            first, rows = self.cut.begin(f, t), self.cut.size(f, t)
            kernel = f.select(f.icmp("sle", rows, int_(matrix.tile.rows)), *by_rows)
            a = f.gep(self.a_block, f.mul(f.sub(first, self.first_row), self.row_stride), "i8")
            self.descriptor.point({MatrixWords.AHEAD: later})
            c, residual = self._places(f.add(self.m0, first))
            self._expect(c, residual, rows)
            self._sum(kernel, a, b, f.select(self.direct, c, into))
            return rows

        self._tiles(self._ahead(), sums, tile)

    def _expect(self, c: V, residual: V, rows: V) -> None:
        """Ask for the rows of C that a tile goes to, and for what is added: they come while it is summed."""
        f = self.f
        somewhere = f.icmp("ne", f.word(self.args, Gemm.C, "ptr"), V("null", "ptr"))
        stored = f.select(f.binary("and", self.last, somewhere), rows, int_(0))
        added = f.select(self.end.has_residual, stored, int_(0))
        behind = f.mul(f.sub(self.columns, int_(1)), int_(self.shape.element))
        for at, count, stride in ((c, stored, self.c_row), (residual, added, self.residual_row)):
            with f.loop(int_(0), count, 1, [at]) as row:
                begin = row.carried[0]
                for line in (begin, f.gep(begin, behind, "i8")):
                    prefetch(f, line, _LEVEL)
                row.next(f.gep(begin, stride, "i8"))

    def _sum(self, kernel: V, a: V, b: V, into: V) -> None:
        """Sum a tile."""
        self.descriptor.sum(kernel, a, b, self.register_steps, into)

    def _ahead(self) -> Ahead:
        """What tiles ask for, if B is packed."""
        f, wide = self.f, self.shape.columns
        if self.weights.made:
            return Ahead.nothing()
        following = f.add(self.n, int_(wide))
        end = f.smin(f.mul(self.panels.high, int_(wide)), self.word[Gemm.N])
        is_full = f.icmp("sle", f.add(following, int_(wide)), end)
        tiles = f.sub(self.tiles.high, self.tiles.low)
        begin = self._packed_panel(following, int_(wide))
        return self.descriptor.ahead(begin, is_full, tiles, self.register_steps)

    def _packed_panel(self, column: V, width: V) -> V:
        """Where this range of k begins in the packed panel of that column."""
        f, matrix = self.f, self.matrix
        each = int_(matrix.planes * matrix.number_bytes)
        k = round_up(f, self.k, matrix.k_step)
        panel = f.gep(self.b_matrix, f.mul(f.mul(column, k), each), "i8")
        return f.gep(panel, f.mul(f.mul(self.k0, width), each), "i8")

    def _made_panel(self, width: V, narrow: V) -> V:
        """The panel of any B: made of floats, then split."""
        f = self.f
        self._make_floats(width)
        special = self._split_b(narrow, 0)
        with f.when(f.icmp("ne", special, int_(0))):
            self._split_b(narrow, 1)
        self.descriptor.set_finite(MatrixWords.B_FINITE, self.registers_plane, special)
        return self.b_split

    def _make_floats(self, width: V) -> None:
        """Copy this range of k of a panel."""
        f, shape, word = self.f, self.shape, self.word
        at = f.add(f.mul(self.k0, word[Gemm.B_K]), f.mul(self.n, word[Gemm.B_N]))
        source = f.gep(self.b_matrix, at, shape.dtype)
        self._copy(self.floats, source, self.steps, self.columns, width, word[Gemm.B_K], word[Gemm.B_N])

    def _split_b(self, narrow: V, careful: int) -> V:
        f = self.f
        one, two = (V(f"@{names[careful]}", "ptr") for names in self.split_panel)
        words = self.b_split, self.floats, self.steps, self.registers_step, self.registers_plane
        function = f.select(narrow, one, two)
        return f.value("i64", f"call i64 {function.text}({', '.join(map(str, words))})")


def prefix(tile: MatrixTile, *, made: bool, bits: int = 0) -> str:
    """What symbols of products by a tile begin with, before the operand."""
    kind = blockwise(bits) if bits else DYNAMIC if made else PACKED
    return f"{tile.name}_{kind.prefix}"
