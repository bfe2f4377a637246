"""The loops of 49 products: each of seven is made of seven products of its quarters.

Decides the order of work and what is kept where; must not know threads.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.share import Cut, ceil_div, set_words
from sardonyx.kernels.strassen.blocking import STRIP_PAIRS, product_row_bytes
from sardonyx.kernels.strassen.fours import define_join, define_lefts_of
from sardonyx.kernels.strassen.scheme import DIFFERENCES, PLAIN, PRODUCTS, RIGHT_QUARTERS
from sardonyx.kernels.strassen.walk import Block
from sardonyx.kernels.tiles.ahead import Run
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, Mode, TileWords
from sardonyx.kernels.tiles.pick import define_pick_differing, picked
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_twice(module: Module, shape: TileShape, direct: str) -> str:
    """Add `void @strassen_twice_f32(args, ctx, r0, r1, j0, j1)`: fours r0..r1 of rows, j0..j1 of panels.

    Both ranges are non-empty. Rows beside one that is not finite are left to `direct`, a block of products
    as they are. Returns the name.
    """
    block = Twice(module, shape, direct)
    block.write()
    return block.f.name


@dataclass(frozen=True, slots=True)
class Difference:
    """A right operand that a tile makes of two others, and keeps for those after it."""

    minuend: V
    subtrahend: V
    kept: V

    def words(self, f: Function) -> dict[int, V]:
        """The words of a descriptor."""
        begin, other, kept = (
            f.convert("ptrtoint", at, "i64") for at in (self.minuend, self.subtrahend, self.kept)
        )
        return {TileWords.OTHER: f.sub(other, begin), TileWords.KEPT: f.sub(kept, begin)}


class Twice(Block):
    """Writes the function; attributes are its run-time values, set in the order of the loops."""

    name = "strassen_twice"
    together = 4
    at_a_time = Gemm.TWICE_FOURS

    def __init__(self, module: Module, shape: TileShape, direct: str) -> None:
        super().__init__(module, shape, direct)
        self.join, self.pick_differing = define_join(module, shape), define_pick_differing(module, shape)
        self.difference: Difference | None = None

    def _define_lefts(self, module: Module) -> str:
        return define_lefts_of(module, self.shape)

    def _lay_out_scratch(self) -> None:
        """Left operands and sums of right ones of one of seven products, its products; what ends need."""
        f, shape, word = self.f, self.shape, self.word
        fours, steps = word[Gemm.TWICE_FOURS], word[Gemm.TWICE_STEPS]
        self.quarter = f.binary("lshr", self.half, int_(1))
        lines = ceil_div(f, f.mul(steps, int_(shape.element)), int_(CACHE_LINE))
        self.row = f.mul(f.binary("or", lines, int_(1)), int_(CACHE_LINE))
        self.left = f.mul(fours, self.row)
        self.lefts = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.rights_made = f.gep(self.lefts, f.mul(self.left, int_(PRODUCTS)), "i8")
        size = f.mul(steps, int_((PRODUCTS - PLAIN) * shape.panel_row_bytes))
        self.quarters = f.gep(self.rights_made, size, "i8")
        size = f.mul(fours, int_(product_row_bytes(shape)))
        self.products = f.gep(self.quarters, size, "i8")
        size = f.mul(f.mul(size, int_(4)), word[Gemm.TWICE_PANELS])
        self.tiles = f.gep(self.products, size, "i8")
        self.scales = f.gep(self.tiles, int_(4 * STRIP_PAIRS * shape.panel_row_bytes), "i8")
        self.factors = f.gep(self.scales, f.mul(fours, int_(4)), shape.dtype)

    def _make_descriptor(self) -> None:
        super()._make_descriptor()
        set_words(self.f, self.descriptor, {TileWords.MODE: int_(Mode.STORE)})

    def _by_seven(self) -> None:
        f, shape, together = self.f, self.shape, self.word[Gemm.TWICE_PANELS]
        count = f.sub(self.high, self.low)
        self.cut = Cut.of(f, count, ceil_div(f, count, int_(shape.max_rows)))
        self.panel_bytes = f.mul(count, int_(2 * product_row_bytes(shape)))
        full = int_(0, "i1")
        self.picks = picked(f, V(f"@{self.pick}", "ptr"), (self.cut.largest(f), self.cut.base), full, full)
        self.differing = f.value("ptr", f"call ptr @{self.pick_differing}({self.cut.largest(f)})")
        pairs = f.binary("lshr", f.add(self.word[Gemm.M], int_(1)), int_(1))
        rows = f.mul(self.low, int_(2)), f.smin(f.mul(self.high, int_(2)), pairs)
        with f.loop(self.j0, self.j1, together) as group:
            self.begin, self.end = group.index, f.smin(f.add(group.index, together), self.j1)
            with f.loop(int_(0), self.quarter, self.word[Gemm.TWICE_STEPS]) as depth:
                self._depth(depth.index)
            scratch = self.tiles, self.factors, self.products
            bounds = (*rows, f.mul(self.begin, int_(2)), f.mul(self.end, int_(2)))
            f.call(self.combine, "void", self.args, *scratch, self.panel_bytes, *bounds)

    def _depth(self, k0: V) -> None:
        """All products of a group of panels over a range of k."""
        f, shape = self.f, self.shape
        self.k0, self.steps = k0, f.smin(f.sub(self.quarter, k0), self.word[Gemm.TWICE_STEPS])
        self.run_bytes = f.mul(self.steps, int_(shape.panel_row_bytes))
        set_words(f, self.table, {1: self.steps})
        with f.loop(int_(0), int_(PRODUCTS)) as product:
            into = f.gep(self.products, f.mul(product.index, int_(shape.panel_row_bytes)), "i8")
            rows = self.row, self.left, self.low, self.high
            k = product.index, self.k0, self.steps
            f.call(self.make_lefts, "void", self.args, self.lefts, self.scales, *rows, *k)
            with f.loop(self.begin, self.end, 1, [into]) as panel:
                self._four_panels(product.index, panel.index, panel.carried[0])
                panel.next(f.gep(panel.carried[0], f.mul(self.panel_bytes, int_(2)), "i8"))

    def _four_panels(self, product: V, panel: V, into: V) -> None:
        """One of the seven products of four panels, in seven products."""
        f, size = self.f, self.run_bytes
        quarters, (later, follows) = self._corners(product, panel), self._next_corners(product, panel)
        made = [f.gep(self.rights_made, f.mul(size, int_(n)), "i8") for n in range(len(DIFFERENCES))]
        known = [*quarters, *made]
        for number, quarter in enumerate(RIGHT_QUARTERS):
            self.difference = None
            self._seventh(number, quarters[quarter], Run(quarters[quarter], int_(0)))
        for (number, minuend, other), kept, following in zip(DIFFERENCES, made, later, strict=True):
            self.difference = Difference(known[minuend], known[other], kept)
            self._seventh(number, kept, Run(following, f.select(follows, size, int_(0))))
        f.call(self.join, "void", self.quarters, into, self.panel_bytes, self.k0, self.cut.total)

    def _seventh(self, number: int, right: V, following: Run) -> None:
        f = self.f
        if self.difference:
            alone = f.icmp("eq", self.cut.parts, int_(1))
            right = f.select(alone, self.difference.minuend, right)
        left = f.gep(self.lefts, f.mul(self.left, int_(number)), "i8")
        into = f.gep(self.quarters, int_(number * self.shape.panel_row_bytes), "i8")
        self._panel(Run(right, self.run_bytes), following, left, into)

    def _tile(self, tile: V, kernel: V, a: V, b: V, into: V, half: V, ahead: V) -> None:
        """The first tile makes the right operand that others read."""
        f = self.f
        if self.difference:
            set_words(f, self.descriptor, self.difference.words(f))
            first = f.icmp("eq", tile, int_(0))
            kernel, b = f.select(first, self.differing, kernel), f.select(first, self.difference.minuend, b)
        super()._tile(tile, kernel, a, b, into, half, ahead)

    def _corners(self, product: V, panel: V) -> list[V]:
        """The quarters of the right operand of a product and four panels."""
        f = self.f
        pairs = f.mul(panel, int_(2)), f.add(f.mul(panel, int_(2)), int_(1))
        upper = [self._right_at(product, pair) for pair in pairs]
        below = f.mul(self.quarter, int_(self.shape.panel_row_bytes))
        return [*upper, *(f.gep(at, below, "i8") for at in upper)]

    def _right_at(self, product: V, pair: V) -> V:
        f = self.f
        at = f.add(
            f.mul(pair, f.mul(self.operand, int_(4))), f.mul(self.k0, int_(self.shape.panel_row_bytes))
        )
        return f.gep(f.load(f.gep(self.rights, product, "i64"), "ptr", 8), at, "i8")

    def _next_corners(self, product: V, panel: V) -> tuple[list[V], V]:
        """The same of what is read after that, and whether anything is."""
        f = self.f
        after = f.add(panel, int_(1))
        wraps = f.icmp("eq", after, self.end)
        later = f.add(product, f.convert("zext", wraps, "i64"))
        ends = f.icmp("eq", later, int_(PRODUCTS))
        first = f.select(ends, after, self.begin)
        is_cut = f.icmp("slt", self.steps, self.quarter)
        over = f.binary("and", ends, f.binary("or", is_cut, f.icmp("eq", after, self.j1)))
        corners = self._corners(f.select(ends, int_(0), later), f.select(wraps, first, after))
        return corners, f.binary("xor", over, int_(1, "i1"))
