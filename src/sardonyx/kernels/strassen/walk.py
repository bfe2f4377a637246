"""The loops of the seven products: blocks of pairs of rows, pairs of panels, ranges of k, products, tiles.

Decides the order of work and what is kept where; must not know threads.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.scratch import ENTRY_WORDS
from sardonyx.kernels.share import Cut, ceil_div, new_words, set_words
from sardonyx.kernels.strassen.blocking import STRIP_PAIRS, product_row_bytes
from sardonyx.kernels.strassen.combine import define_combine
from sardonyx.kernels.strassen.rows import define_lefts, define_scales
from sardonyx.kernels.strassen.scheme import PLAIN, PRODUCTS
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.descriptor import second_half
from sardonyx.kernels.tiles.microkernel import Mode, TileWords
from sardonyx.kernels.tiles.pick import define_pick, picked
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_block(module: Module, shape: TileShape, direct: str) -> str:
    """Add `void @strassen_block_f32(args, ctx, r0, r1, j0, j1)`: pairs r0..r1 of rows, j0..j1 of panels.

    Both ranges are non-empty. Rows beside one that is not finite are left to `direct`, a block of products
    as they are. Returns the name.
    """
    block = Block(module, shape, direct)
    block.write()
    return block.f.name


class Block:
    """Writes the function; attributes are its run-time values, set in the order of the loops."""

    name = "strassen_block"
    together = 2
    """Rows of which the function counts in its ranges, and panels."""
    at_a_time = Gemm.PAIRS

    def __init__(self, module: Module, shape: TileShape, direct: str) -> None:
        self.shape, self.direct = shape, direct
        self.pick, self.combine = define_pick(module, shape), define_combine(module, shape)
        self.scale, self.make_lefts = define_scales(module, shape), self._define_lefts(module)
        params = [("args", "ptr"), ("ctx", "ptr"), *((n, "i64") for n in ("r0", "r1", "j0", "j1"))]
        name = f"{self.name}_{shape.operand}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.args, self.ctx, self.r0, self.r1, self.j0, self.j1 = self.f.params

    def _define_lefts(self, module: Module) -> str:
        return define_lefts(module, self.shape)

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        self._lay_out_scratch()
        self._make_descriptor()
        units = f.sub(self.r1, self.r0)
        blocks = Cut.of(f, units, ceil_div(f, units, self.word[self.at_a_time]))
        with f.loop(int_(0), blocks.parts) as rows:
            self.low = f.add(self.r0, blocks.begin(f, rows.index))
            self.high = f.add(self.low, blocks.size(f, rows.index))
            self._rows()
        f.ret()
        f.finish()

    def _load_words(self) -> None:
        f, shape = self.f, self.shape
        self.word = word = {w: f.word(self.args, w) for w in Gemm if w > Gemm.EPILOGUE}
        self.half = f.binary("lshr", word[Gemm.K], int_(1))
        self.operand = f.mul(self.half, int_(shape.panel_row_bytes))
        self.row = f.mul(word[Gemm.PITCH], int_(shape.element))
        self.left = f.mul(word[Gemm.PAIRS], self.row)
        b, sums = (f.word(self.args, w, "ptr") for w in (Gemm.B, Gemm.SUMS))
        words = {n: f.gep(b, f.mul(self.operand, int_(at)), "i8") for n, at in enumerate((0, 1, 3))}
        for n in range(PRODUCTS - PLAIN):
            words[PLAIN + n] = f.gep(sums, f.mul(self.operand, int_(n)), "i8")
        self.rights = new_words(f, words, PRODUCTS)

    def _lay_out_scratch(self) -> None:
        """Left operands, products, tiles of a strip, scales and factors of rows."""
        f, shape, word = self.f, self.shape, self.word
        pairs = word[Gemm.PAIRS]
        self.lefts = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.products = f.gep(self.lefts, f.mul(self.left, int_(PRODUCTS)), "i8")
        size = f.mul(f.mul(pairs, word[Gemm.PANELS]), int_(product_row_bytes(shape)))
        self.tiles = f.gep(self.products, size, "i8")
        self.scales = f.gep(self.tiles, int_(4 * STRIP_PAIRS * shape.panel_row_bytes), "i8")
        self.factors = f.gep(self.scales, f.mul(pairs, int_(2)), shape.dtype)

    def _make_descriptor(self) -> None:
        f, shape = self.f, self.shape
        self.table = new_words(f, {}, ENTRY_WORDS)
        words: dict[int, V] = {
            TileWords.TABLE: self.table,
            TileWords.ENTRIES: int_(1),
            TileWords.ROW: self.row,
            TileWords.TILE_ROW: int_(product_row_bytes(shape)),
            TileWords.TILE_VECTOR: int_(shape.panel_row_bytes // shape.vectors),
        }
        self.descriptor = new_words(f, words, len(TileWords))

    def _rows(self) -> None:
        """All panels of a block of pairs of rows."""
        f, word = self.f, self.word
        together = int_(self.together)
        first = f.mul(self.low, together)
        end = f.smin(f.mul(self.high, together), word[Gemm.M])
        row_bytes = f.mul(word[Gemm.A_M], int_(self.shape.element))
        at = f.gep(f.word(self.args, Gemm.A, "ptr"), f.mul(first, row_bytes), "i8")
        rows = f.sub(end, first)
        found = f.call(self.scale, "i32", at, word[Gemm.K], row_bytes, self.scales, self.factors, rows)
        by_seven, as_ever, done = (f.new_label(n) for n in ("seven", "ever", "done"))
        f.branch(f.icmp("eq", found, int_(0, "i32")), by_seven, as_ever)
        f.start(as_ever)
        panels = f.mul(self.j0, together), f.mul(self.j1, together)
        f.call(self.direct, "void", self.args, self.ctx, int_(0), first, end, *panels)
        f.jump(done)
        f.start(by_seven)
        self._by_seven()
        f.jump(done)
        f.start(done)

    def _by_seven(self) -> None:
        f, shape, together = self.f, self.shape, self.word[Gemm.PANELS]
        count = f.sub(self.high, self.low)
        self.cut = Cut.of(f, count, ceil_div(f, count, int_(shape.max_rows)))
        self.panel_bytes = f.mul(count, int_(product_row_bytes(shape)))
        full = int_(0, "i1")
        self.picks = picked(f, V(f"@{self.pick}", "ptr"), (self.cut.largest(f), self.cut.base), full, full)
        f.call(self.make_lefts, "void", self.args, self.lefts, self.scales, self.low, self.high)
        with f.loop(self.j0, self.j1, together) as group:
            self.begin, self.end = group.index, f.smin(f.add(group.index, together), self.j1)
            with f.loop(int_(0), self.half, self.word[Gemm.STEPS]) as depth:
                self._depth(depth.index)
            scratch = self.tiles, self.factors, self.products
            bounds = self.low, self.high, self.begin, self.end
            f.call(self.combine, "void", self.args, *scratch, self.panel_bytes, *bounds)

    def _depth(self, k0: V) -> None:
        """All products of a group of panels over a range of k."""
        f, shape = self.f, self.shape
        self.k0, self.steps = k0, f.smin(f.sub(self.half, k0), self.word[Gemm.STEPS])
        mode = f.select(f.icmp("eq", k0, int_(0)), int_(Mode.STORE), int_(Mode.ADD))
        set_words(f, self.table, {1: self.steps})
        set_words(f, self.descriptor, {TileWords.MODE: mode})
        first = f.gep(self.lefts, k0, shape.dtype)
        with f.loop(int_(0), int_(PRODUCTS)) as product:
            a = f.gep(first, f.mul(product.index, self.left), "i8")
            into = f.gep(self.products, f.mul(product.index, int_(shape.panel_row_bytes)), "i8")
            with f.loop(self.begin, self.end, 1, [into]) as panel:
                run = self._right(product.index, panel.index)
                self._panel(run, self._following(product.index, panel.index), a, panel.carried[0])
                panel.next(f.gep(panel.carried[0], self.panel_bytes, "i8"))

    def _right(self, product: V, panel: V) -> Run:
        """This range of k of the right operand of a product and a pair of panels."""
        f, step = self.f, int_(self.shape.panel_row_bytes)
        at = f.add(f.mul(panel, f.mul(self.operand, int_(4))), f.mul(self.k0, step))
        base = f.load(f.gep(self.rights, product, "i64"), "ptr", 8)
        return Run(f.gep(base, at, "i8"), f.mul(self.steps, step))

    def _following(self, product: V, panel: V) -> Run:
        """What is read after that in the same range of k: for the next pair of panels, else the next product.

        After the last product of the group that is the first of the next group, if k is not cut.
        """
        f = self.f
        after = f.add(panel, int_(1))
        wraps = f.icmp("eq", after, self.end)
        later = f.add(product, f.convert("zext", wraps, "i64"))
        ends = f.icmp("eq", later, int_(PRODUCTS))
        later = f.select(ends, int_(0), later)
        first = f.select(ends, after, self.begin)
        run = self._right(later, f.select(wraps, first, after))
        is_cut = f.icmp("slt", self.steps, self.half)
        over = f.binary("and", ends, f.binary("or", is_cut, f.icmp("eq", after, self.j1)))
        return Run(run.begin, f.select(over, int_(0), run.size_bytes))

    def _panel(self, run: Run, following: Run, a: V, into: V) -> None:
        """All pairs of rows with one right operand."""
        f, shape, cut = self.f, self.shape, self.cut
        ahead = Ahead.of(f, shape, cut.parts, int_(0, "i1"), int_(shape.columns), run, following)
        set_words(f, self.descriptor, ahead.words)
        with f.loop(int_(0), cut.parts, 1, [a, into, ahead.address]) as tile:
            row, to, later = tile.carried
            count = cut.size(f, tile.index)
            kernel = f.select(f.icmp("slt", tile.index, cut.extra), *self.picks)
            self._tile(tile.index, kernel, row, run.begin, to, second_half(f, count, self.row), later)
            tile.next(
                f.gep(row, f.mul(count, self.row), "i8"),
                f.gep(to, f.mul(count, int_(product_row_bytes(shape))), "i8"),
                f.gep(later, ahead.per_tile, "i8"),
            )

    def _tile(self, tile: V, kernel: V, a: V, b: V, into: V, half: V, ahead: V) -> None:
        self.f.call_pointer(kernel, a, b, into, half, self.descriptor, ahead)
