"""The loops of one matrix product around the micro-kernels: cache blocks, panels of B, tiles of rows.

Decides blocking, copies of awkward operands and where a tile is summed; must not know threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.blockwise import STEPS, define_unpack
from sardonyx.kernels.share import Cut, Groups, ceil_div, evenly, new_words, round_up, set_word
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.descriptor import Descriptors, second_half
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, Mode, TileWords
from sardonyx.kernels.tiles.pick import define_pick, few_rows, picked
from sardonyx.kernels.tiles.repack import define_copy
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.kernels.tiles.strips import Strip, Strips
from sardonyx.llvm.vec import Function, Module, V, int_

_ALIASING_BYTES = 4096
"""Row strides that are a multiple of this put the rows of a tile into one L1 set."""

_FULL_TILES = 5
"""Row tiles that are worth keeping in L2 together before the k range is cut."""


@dataclass(frozen=True, slots=True)
class Range:
    """Run-time bounds: `low` <= index < `high`."""

    low: V
    high: V


@dataclass(frozen=True, slots=True)
class Weights:
    """How B is given: packed, as any matrix, or in few bits; if `made`, panels are made in scratch.

    `lays_out` says that rows of A are.
    """

    prefix: str = ""
    made: bool = False
    bits: int = 0
    lays_out: bool = False


PACKED, DYNAMIC = Weights(), Weights("dynamic_", made=True)


def blockwise(bits: int) -> Weights:
    """Numbers of few bits with scales."""
    return Weights(f"blockwise{bits}_", made=True, bits=bits)


def define_block(module: Module, goal: Goal, shape: TileShape, weights: Weights) -> str:
    """Add `void @gemm_block_*(args, ctx, b, m0, m1, p0, p1)`: rows m0..m1 of panels p0..p1 of batch b.

    All ranges are non-empty. Returns the name.
    """
    block = Block(module, goal, shape, weights)
    block.write()
    return block.f.name


class Block:
    """Writes the function; attributes are its run-time values, set in the order of the loops.

    Rows of several tiles are passed on together, at most `strip_rows`: what is written of more takes the
    place of A and B in L1.
    """

    strip_rows = 28

    def __init__(self, module: Module, goal: Goal, shape: TileShape, weights: Weights) -> None:
        self.goal, self.shape, self.weights = goal, shape, weights
        self.copy = define_copy(module, shape) if shape.is_float else ""
        self._define_parts(module)
        params = [("args", "ptr"), ("ctx", "ptr"), *((n, "i64") for n in ("b", "m0", "m1", "p0", "p1"))]
        name = f"gemm_block_{weights.prefix}{shape.operand}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.args, self.ctx, self.b, self.m0, self.m1, self.p0, self.p1 = self.f.params

    def _define_parts(self, module: Module) -> None:
        weights, shape = self.weights, self.shape
        self.unpack = define_unpack(module, shape, weights.bits) if weights.bits else ""
        self.pick = define_pick(module, shape)

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        self._choose_blocks()
        self._lay_out_scratch()
        self._make_tile_words()
        tiles = self.cut.parts
        with f.loop(int_(0), tiles, self.tiles_per_block) as rows:
            self.tiles = Range(rows.index, f.smin(f.add(rows.index, self.tiles_per_block), tiles))
            with f.loop(self.p0, self.p1, self.panels_per_block) as columns:
                high = f.smin(f.add(columns.index, self.panels_per_block), self.p1)
                self.panels = Range(columns.index, high)
                with f.loop(int_(0), f.smax(self.k, int_(1)), self.k_block) as depth:
                    self._depth(depth.index)
        f.ret()
        f.finish()

    def _load_words(self) -> None:
        f = self.f
        self.word = {w: f.word(self.args, w) for w in Gemm if w > Gemm.EPILOGUE}
        self.end = End(f, self.shape, self.args, Gemm)
        self.a, self.b_matrix, self.c = (self._origin(operand) for operand in ("A", "B", "C"))
        self.residual = self._origin("RESIDUAL")
        self.k = self.word[Gemm.K]
        self.rows = f.sub(self.m1, self.m0)
        self.cut = self._cut_rows()
        self.coords = new_words(f, {0: self.b}, 3)

    def _cut_rows(self) -> Cut | Groups:
        """Tiles of rows that are about equal."""
        self.even = Cut.of(self.f, self.rows, ceil_div(self.f, self.rows, int_(self.shape.max_rows)))
        return self.even

    def _origin(self, operand: str) -> V:
        """Where the matrix of this batch begins."""
        f, inner = self.f, self.word[Gemm.BATCH1]
        b0, b1 = f.binary("udiv", self.b, inner), f.binary("urem", self.b, inner)
        strides = (self.word[Gemm[f"{operand[0]}_BATCH{i}"]] for i in (0, 1))
        offset = f.add(*(f.mul(b, stride) for b, stride in zip((b0, b1), strides, strict=True)))
        dtype = self.shape.a_type if operand == "A" else self.shape.dtype
        return f.gep(f.word(self.args, Gemm[operand], "ptr"), offset, dtype)

    def _choose_blocks(self) -> None:
        """Keep a block of A beside two panels of B in L2; cut k only if too few rows of A would fit."""
        f, shape, tiles = self.f, self.shape, self.cut.parts
        quarter = f.binary("udiv", self.word[Gemm.L2_BYTES], int_(4 * shape.element))
        budget = f.mul(quarter, int_(3))
        beside = int_(2 * shape.columns)
        together = int_(_FULL_TILES) if self.goal.policy.fixed_order else f.smin(tiles, int_(_FULL_TILES))
        fitting = f.binary("udiv", budget, f.add(f.mul(together, int_(shape.max_rows)), beside))
        single = f.icmp("eq", together, int_(1))
        alone = f.binary("udiv", budget, int_(2 * shape.max_rows))
        longest = f.select(single, int_(STEPS) if self.weights.bits else alone, fitting)
        k = f.smax(self.k, int_(1))
        self.k_block = round_up(f, evenly(f, k, longest), shape.lanes)
        self.k_is_cut = f.icmp("slt", self.k_block, self.k)
        # An odd number of vectors: the rows of the copy then begin in different L1 sets.
        vectors = f.smin(self.k_block, round_up(f, k, shape.lanes))
        self.copy_pitch = f.binary("or", vectors, int_(shape.lanes))
        room = f.sub(f.binary("udiv", budget, self.copy_pitch), beside)
        fitting = f.smax(f.binary("sdiv", room, int_(shape.max_rows)), int_(1))
        self.tiles_per_block = evenly(f, tiles, fitting)
        sums = f.binary("udiv", int_(scratch.SUM_BYTES), f.mul(self.tiles_per_block, int_(shape.tile_bytes)))
        self.panels_per_block = f.select(self.k_is_cut, f.smax(sums, int_(1)), f.sub(self.p1, self.p0))

    def _lay_out_scratch(self) -> None:
        """Sums of tiles, then the copy of a block of A, then the packed panel of B."""
        f, shape = self.f, self.shape
        self.sums = f.word(self.ctx, Context.SCRATCH, "ptr")
        tiles = f.select(self.k_is_cut, f.mul(self.tiles_per_block, self.panels_per_block), int_(STRIP_TILES))
        used = round_up(f, f.mul(tiles, int_(shape.tile_bytes)), CACHE_LINE)
        self.a_copy = f.gep(self.sums, used, "i8")
        row_bytes = f.mul(self.word[Gemm.A_M], int_(shape.operand_bytes))
        self.copied = self._is_copied(row_bytes) if shape.is_float else int_(0, "i1")
        copy_row_bytes = f.mul(self.copy_pitch, int_(shape.element))
        self.row_stride = f.select(self.copied, copy_row_bytes, row_bytes)
        rows = f.add(f.mul(self.tiles_per_block, int_(shape.max_rows)), int_(shape.lanes))
        size = f.select(self.copied, f.mul(rows, copy_row_bytes), int_(0))
        self.b_packed = f.gep(self.a_copy, size, "i8")

    def _is_copied(self, row_bytes: V) -> V:
        """Whether the rows of A collide in L1, or are not rows at all."""
        f, shape = self.f, self.shape
        worth = [
            f.icmp("eq", f.binary("and", row_bytes, int_(_ALIASING_BYTES - 1)), int_(0)),
            f.icmp("sge", f.mul(self.k, int_(shape.element)), int_(_ALIASING_BYTES)),
            f.icmp("sge", self.rows, int_(shape.max_rows // 2)),
            f.icmp("sgt", f.sub(self.p1, self.p0), int_(3)),
        ]
        for condition in worth[1:]:
            worth[0] = f.binary("and", worth[0], condition)
        return f.binary("or", worth[0], f.icmp("ne", self.word[Gemm.A_K], int_(1)))

    def _make_tile_words(self) -> None:
        """One descriptor for tiles in scratch, one for tiles that go to C at once."""
        f, shape, word = self.f, self.shape, self.word
        self.table = new_words(f, {}, scratch.ENTRY_WORDS)
        vector = int_(shape.panel_row_bytes // 2)
        self.c_row = f.mul(word[Gemm.C_M], int_(shape.element))
        self.residual_row = f.mul(word[Gemm.R_M], int_(shape.element))
        words: dict[int, V] = {
            TileWords.TABLE: self.table,
            TileWords.ENTRIES: int_(1),
            TileWords.ROW: self.row_stride,
            TileWords.TILE_VECTOR: vector,
        }
        to_c: dict[int, V] = {
            **self.end.limits,
            TileWords.TILE_ROW: self.c_row,
            TileWords.RESIDUAL_ROW: self.residual_row,
            TileWords.RESIDUAL_VECTOR: vector,
        }
        self.descriptors = Descriptors.of(f, words, {TileWords.TILE_ROW: int_(shape.panel_row_bytes)}, to_c)
        self.strides = new_words(f, {}, 3)
        now = f.binary("xor", f.binary("and", self.k_is_cut, self.end.finishing), int_(1, "i1"))
        self.may_be_direct = f.binary("and", self.end.unfused, now)

    def _depth(self, k0: V) -> None:
        """One range of k: all panels of the block, all tiles of each panel."""
        f = self.f
        self.k0 = k0
        self.steps = f.smin(f.sub(self.k, k0), self.k_block)
        self.last = f.icmp("sge", f.add(k0, self.k_block), self.k)
        self._set_mode()
        self.first_row = self.cut.begin(f, self.tiles.low)
        self._place_a()
        with f.loop(self.panels.low, self.panels.high) as panel:
            self._panel(panel.index)

    def _set_mode(self) -> None:
        """Tell tiles how many steps they sum and what becomes of the sums."""
        f = self.f
        set_word(f, self.table, 1, self.steps)
        mode = f.select(f.icmp("eq", self.k0, int_(0)), int_(Mode.STORE), int_(Mode.ADD))
        self.descriptors.set_scratch({TileWords.MODE: mode})
        self.descriptors.set_direct({TileWords.MODE: self.end.mode(mode)})

    def _place_a(self) -> None:
        """The first row of the block of A, copied if its strides are awkward; tiles step by `row_stride`."""
        f, shape, word = self.f, self.shape, self.word
        low = f.add(self.m0, self.first_row)
        step = f.mul(word[Gemm.A_K], int_(shape.depth))
        at = f.add(f.mul(low, word[Gemm.A_M]), f.mul(self.k0, step))
        source = f.gep(self.a, at, shape.a_type)
        if not shape.is_float:
            self.a_block = source
            return
        with f.when(self.copied):
            rows = f.sub(self.cut.begin(f, self.tiles.high), self.first_row)
            self._copy(self.a_copy, source, rows, self.steps, self.copy_pitch, word[Gemm.A_M], word[Gemm.A_K])
        self.a_block = f.select(self.copied, self.a_copy, source)

    def _copy(self, to: V, source: V, rows: V, columns: V, *strides: V) -> None:
        for i, stride in enumerate(strides):
            set_word(self.f, self.strides, i, stride)
        self.f.call(self.copy, "void", to, source, rows, columns, self.strides)

    def _panel(self, panel: V) -> None:
        f, shape, word = self.f, self.shape, self.word
        self.n = f.mul(panel, int_(shape.columns))
        self.columns = f.smin(f.sub(word[Gemm.N], self.n), int_(shape.columns))
        narrow = f.icmp("sle", self.columns, int_(shape.lanes))
        width = f.select(narrow, int_(shape.lanes), int_(shape.columns))
        self.direct = f.binary("and", self.may_be_direct, f.icmp("eq", self.columns, width))
        self.bias = self.end.bias(self.n)
        slots = f.mul(f.sub(panel, self.panels.low), self.tiles_per_block)
        slots = f.mul(f.select(self.k_is_cut, slots, int_(0)), int_(shape.tile_bytes))
        self._sum_panel(width, narrow, f.gep(self.sums, slots, "i8"))

    def _sum_panel(self, width: V, narrow: V, sums: V) -> None:
        """All tiles of the panel, `width` elements wide in memory, one vector if `narrow`."""
        f, shape, word = self.f, self.shape, self.word
        self.descriptors.set_direct({TileWords.BIAS: self.bias})
        few = f.icmp("sle", word[Gemm.M], int_(0 if self.goal.policy.fixed_order else few_rows(shape)))
        picks = picked(f, V(f"@{self.pick}", "ptr"), (self.even.largest(f), self.even.base), narrow, few)
        b, following = self._place_b(width)
        tiles = f.sub(self.tiles.high, self.tiles.low)
        run = Run(b, f.mul(f.mul(self.steps, width), int_(shape.packed_bytes)))
        ahead = Ahead.of(f, shape, tiles, few, width, run, following)
        self.descriptors.set(ahead.words)

        def tile(t: V, _: Sequence[V], later: V, into: V) -> V:
            return self._tile(t, picks, b, later, into)

        self._tiles(ahead, sums, tile)

    def _tiles(self, ahead: Ahead, sums: V, tile: Callable[[V, Sequence[V], V, V], V]) -> None:
        """All tiles of the block for one panel; those that do not go to C at once are passed on in strips."""
        f, (low, high) = self.f, (self.tiles.low, self.tiles.high)
        passes_on = f.binary("and", self.last, f.binary("xor", self.direct, int_(1, "i1")))
        most = max(1, min(STRIP_TILES, self.strip_rows // self.shape.max_rows))
        strips = Strips(low, high, [low], sums, self.k_is_cut, passes_on, most=int_(most))
        strips.write(f, self.shape, ahead, tile, self._pass_on)

    def _place_b(self, width: V) -> tuple[V, Run]:
        """The packed panel, packed now if B is dynamic, and what of B will be read after it."""
        f, shape, word = self.f, self.shape, self.word
        if self.weights.bits:
            self._unpack(self.b_packed, width)
            return self.b_packed, Run(self.b_packed, int_(0))
        if not self.weights.made:
            return self._packed_at(self.n, width), self._following()
        at = f.add(f.mul(self.k0, word[Gemm.B_K]), f.mul(self.n, word[Gemm.B_N]))
        source = f.gep(self.b_matrix, at, shape.dtype)
        self._copy(self.b_packed, source, self.steps, self.columns, width, word[Gemm.B_K], word[Gemm.B_N])
        return self.b_packed, Run(self.b_packed, int_(0))

    def _unpack(self, to: V, width: V) -> None:
        """Make floats of this range of k of the panel."""
        f, shape, word = self.f, self.shape, self.word
        panel = f.binary("udiv", self.n, int_(shape.columns))
        row = int_(shape.columns * self.weights.bits // 8)
        levels = f.gep(self.b_matrix, f.mul(f.mul(panel, round_up(f, self.k, GROUP)), row), "i8")
        blocks = ceil_div(f, self.k, word[Gemm.BLOCK])
        at = f.mul(f.mul(panel, blocks), int_(shape.columns))
        scales, zeros = (f.word(self.args, w, "ptr") for w in (Gemm.SCALES, Gemm.ZEROS))
        own = f.select(f.icmp("ne", zeros, V("null", "ptr")), at, int_(0))
        per_block = f.gep(scales, at, shape.dtype), f.gep(zeros, own, shape.dtype)
        narrow = f.icmp("ne", width, int_(shape.columns))
        steps = self.k0, f.add(self.k0, self.steps), word[Gemm.BLOCK]
        f.call(self.unpack, "void", to, levels, *per_block, *steps, narrow)

    def _packed_at(self, column: V, width: V) -> V:
        """Where this range of k begins in the panel of that column."""
        f = self.f
        first = f.gep(self.b_matrix, f.mul(column, self.k), self.shape.dtype)
        return f.gep(first, f.mul(self.k0, width), self.shape.dtype)

    def _following(self) -> Run:
        """This range of k in the next panel, or in all to come if it is all of k; empty in the last."""
        f, shape = self.f, self.shape
        end = f.mul(self.panels.high, int_(shape.columns))
        end = f.smin(end, round_up(f, self.word[Gemm.N], shape.lanes))
        column = f.smin(f.add(self.n, int_(shape.columns)), end)
        left = f.sub(end, column)
        width = f.smin(left, int_(shape.columns))
        size = f.select(self.k_is_cut, f.mul(self.steps, width), f.mul(self.k, left))
        return Run(self._packed_at(column, width), f.mul(size, int_(shape.element)))

    def _tile(self, t: V, picks: list[V], b: V, ahead: V, tile: V) -> V:
        """Sum one tile; returns its rows."""
        f = self.f
        first, count = self.cut.begin(f, t), self.cut.size(f, t)
        kernel = f.select(f.icmp("slt", t, self.even.extra), *picks)
        a = f.gep(self.a_block, f.mul(f.sub(first, self.first_row), self.row_stride), "i8")
        half = second_half(f, count, self.row_stride)
        c, residual = self._places(f.add(self.m0, first))
        self.descriptors.set_direct({TileWords.RESIDUAL: residual})
        self.descriptors.sum(kernel, (a, b, half), tile, c, self.direct, ahead)
        return count

    def _places(self, m: V) -> tuple[V, V]:
        """Where row m of the panel lies in C and in the residual."""
        f, dtype = self.f, self.shape.dtype
        c, residual = f.mul(m, self.c_row), f.mul(m, self.residual_row)
        return (
            f.gep(f.gep(self.c, c, "i8"), self.n, dtype),
            f.gep(f.gep(self.residual, residual, "i8"), self.n, dtype),
        )

    def _pass_on(self, strip: Strip, end: V) -> None:
        """Give the tiles of a strip up to tile `end` to the epilogue, or finish and store them."""
        f, word = self.f, self.word
        begin = self.cut.begin(f, strip.first[0])
        m, count = f.add(self.m0, begin), f.sub(self.cut.begin(f, end), begin)
        c, residual = self._places(m)
        tile = Tile(strip.sums, int_(self.shape.columns), count, self.columns)
        to, other = Strided(c, word[Gemm.C_M], int_(1)), Strided(residual, word[Gemm.R_M], int_(1))

        def store() -> None:
            self.end.store(tile, to, other, self.bias, by_row=int_(0, "i1"))

        self.end.pass_on(tile, self.coords, {1: m, 2: self.n}, store)
