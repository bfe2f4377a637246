"""Seven products of pairs of rows and panels -> rows of C, given to the end of the product.

Decides how products move through registers; must not know where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.share import new_words
from sardonyx.kernels.strassen.blocking import STRIP_PAIRS, product_row_bytes
from sardonyx.kernels.strassen.rows import Summand
from sardonyx.kernels.strassen.scheme import PRODUCTS, results
from sardonyx.kernels.tiles.finish import End, Tile
from sardonyx.kernels.tiles.microkernel import TileWords, added, clamped, hidden
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_combine(module: Module, shape: TileShape) -> str:
    """Add `void @strassen_combine_f32(args, tiles, factors, products, beside, low, high, j0, j1)`.

    The rows of pairs low..high in pairs j0..j1 of panels, each times its factor, from
    products[j - j0][pair - low][product][columns]; rows of `products` are `product_row_bytes` apart, pairs of
    panels `beside` bytes. `tiles` is memory for a strip of two panels, which a separate epilogue is given;
    other ends happen in registers. Returns the name.
    """
    params = [(n, "ptr") for n in ("args", "tiles", "factors", "products")]
    params += [(n, "i64") for n in ("beside", "low", "high", "j0", "j1")]
    name = f"strassen_combine_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: TileShape) -> None:
        self.f, self.shape = f, shape
        self.args, tiles, self.factors, self.products, self.beside, *bounds = f.params
        self.low, self.high, self.j0, self.j1 = bounds
        self.word = {w: f.word(self.args, w) for w in Gemm if w > Gemm.EPILOGUE}
        self.c = f.word(self.args, Gemm.C, "ptr")
        self.end = End(f, shape, self.args, Gemm, panels=2)
        self.coords = new_words(f, {}, 3)
        size = int_(2 * STRIP_PAIRS * shape.panel_row_bytes)
        self.sides = tiles, f.gep(tiles, size, "i8")

    def write(self) -> None:
        f = self.f
        registers, strips, done = (f.new_label(hint) for hint in ("registers", "strips", "done"))
        f.branch(self.end.unfused, registers, strips)
        for label, pair_of_panels in ((registers, self._finish), (strips, self._pass_on)):
            f.start(label)
            with f.loop(self.j0, self.j1, 1, [self.products]) as panel:
                pair_of_panels(panel.index, panel.carried[0])
                panel.next(f.gep(panel.carried[0], self.beside, "i8"))
            f.jump(done)
        f.start(done)
        f.ret()
        f.finish()

    def _finish(self, panel: V, source: V) -> None:
        """Finish and store all pairs of rows.

        A row without a partner is stored in the place of it first, and then as it is.
        """
        f, shape, word, end = self.f, self.shape, self.word, self.end
        n, size = f.mul(panel, int_(2 * shape.columns)), int_(shape.element)
        strides = [f.mul(word[Gemm.C_M], size), f.mul(end.residual_stride(word[Gemm.R_M]), size)]
        starts = [f.gep(self.c, n, shape.dtype), end.residual_or_zeros(f.gep(end.residual, n, shape.dtype))]
        first = f.mul(self.low, int_(2))
        starts = [f.gep(at, f.mul(first, by), "i8") for at, by in zip(starts, strides, strict=True)]
        whole = f.smin(self.high, f.binary("lshr", word[Gemm.M], int_(1)))
        limits = [f.splat(end.limits[w], shape.lanes) for w in (TileWords.LOW, TileWords.HIGH)]
        shift = end.bias(n), limits
        with f.loop(self.low, whole, 1, [source, self.factors, *starts]) as pair:
            at, scale, *rows = (hidden(f, pointer) for pointer in pair.carried)
            into, beside = (self._corners(row, by) for row, by in zip(rows, strides, strict=True))
            self._finish_pair((at, scale), shift, beside, into)
            below = (f.gep(f.gep(row, by, "i8"), by, "i8") for row, by in zip(rows, strides, strict=True))
            pair.next(*self._following(at, scale), *below)
        with f.when(f.icmp("slt", whole, self.high)):
            at, scale, *rows = pair.carried
            into, beside = (self._corners(row, int_(0)) for row in rows)
            self._finish_pair((at, scale), shift, beside, into)

    def _finish_pair(
        self, source: tuple[V, V], shift: tuple[V, Sequence[V]], beside: Sequence[V], into: Sequence[V]
    ) -> None:
        """The quarters, from products and scales, with bias, limits and what is beside, to their places."""
        f, shape, (bias, limits) = self.f, self.shape, shift
        for column in range(0, shape.columns, shape.lanes):
            found = []
            for quarter, value in enumerate(self._quarters(*source, column)):
                own = f.gep(bias, int_(quarter % 2 * shape.columns), shape.dtype)
                for address in (own, beside[quarter]):
                    value = added(f, value, f.load(f.gep(address, int_(column), shape.dtype), shape.vector))
                found.append(clamped(f, value, *limits))
            for value, address in reversed(list(zip(found, into, strict=True))):
                f.store(value, f.gep(address, int_(column), shape.dtype))

    def _corners(self, upper: V, step: V) -> list[V]:
        """Where the four quarters of a pair begin; its lower row is `step` bytes below."""
        f, beside = self.f, int_(self.shape.panel_row_bytes)
        rows = upper, f.gep(upper, step, "i8")
        return [at for row in rows for at in (row, f.gep(row, beside, "i8"))]

    def _quarters(self, at: V, scales: V, column: int) -> list[V]:
        """A vector of each quarter of a pair: those of its upper row, then of its lower one."""
        f, shape = self.f, self.shape
        upper, lower = (
            f.splat(f.load(f.gep(scales, int_(n), shape.dtype), shape.dtype), shape.lanes) for n in (0, 1)
        )
        places = (int_(p * shape.columns + column) for p in range(PRODUCTS))
        products = [f.load(f.gep(at, place, shape.dtype), shape.vector) for place in places]
        quarters = results([Summand(f, p) for p in products])
        scaled = zip(quarters, (upper, upper, lower, lower), strict=True)
        return [f.binary("fmul", quarter.value, factor) for quarter, factor in scaled]

    def _following(self, at: V, scales: V) -> tuple[V, V]:
        """Products and factors of the next pair of rows."""
        f = self.f
        return f.gep(at, int_(product_row_bytes(self.shape)), "i8"), f.gep(scales, int_(2), self.shape.dtype)

    def _pass_on(self, panel: V, source: V) -> None:
        """Give all pairs of rows to the epilogue, some at a time."""
        f, shape = self.f, self.shape
        with f.loop(self.low, self.high, STRIP_PAIRS, [source]) as strip:
            count = f.smin(f.sub(self.high, strip.index), int_(STRIP_PAIRS))
            following = self._strip(strip.index, count, strip.carried[0])
            m = f.mul(strip.index, int_(2))
            rows = f.smin(f.mul(count, int_(2)), f.sub(self.word[Gemm.M], m))
            for side, address in enumerate(self.sides):
                n = f.mul(f.add(f.mul(panel, int_(2)), int_(side)), int_(shape.columns))
                tile = Tile(address, int_(shape.columns), rows, int_(shape.columns))
                self.end.pass_on(tile, self.coords, {1: m, 2: n}, lambda: None)
            strip.next(following)

    def _strip(self, first: V, count: V, source: V) -> V:
        """The tiles of some pairs of rows; returns where the products of the next begin."""
        f, shape = self.f, self.shape
        row_bytes = int_(shape.panel_row_bytes)
        factors = f.gep(self.factors, f.mul(f.sub(first, self.low), int_(2)), shape.dtype)
        with f.loop(int_(0), count, 1, [source, factors, *self.sides]) as pair:
            at, scale, *to = pair.carried
            below = [f.gep(side, row_bytes, "i8") for side in to]
            for n in range(0, shape.columns, shape.lanes):
                for value, row in zip(self._quarters(at, scale, n), (*to, *below), strict=True):
                    f.store(value, f.gep(row, int_(n), shape.dtype))
            both = int_(2 * shape.panel_row_bytes)
            pair.next(*self._following(at, scale), *(f.gep(side, both, "i8") for side in to))
        return pair.carried[0]
