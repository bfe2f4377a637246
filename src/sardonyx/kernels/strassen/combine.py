"""Seven products of pairs of rows and panels -> rows of C, given to the end of the product.

Decides how products move through registers; must not know where they come from.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.share import new_words
from sardonyx.kernels.strassen.blocking import STRIP_PAIRS, product_row_bytes
from sardonyx.kernels.strassen.rows import Summand
from sardonyx.kernels.strassen.scheme import PRODUCTS, results
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_combine(module: Module, shape: TileShape) -> str:
    """Add `void @strassen_combine_f32(args, tiles, factors, products, low, high, j0, j1)`; returns the name.

    The rows of pairs low..high in pairs j0..j1 of panels, each times its factor, from
    products[j - j0][pair - low][product][columns]; rows of `products` are `product_row_bytes` apart. `tiles`
    is memory for a strip of two panels.
    """
    params = [(n, "ptr") for n in ("args", "tiles", "factors", "products")]
    params += [(n, "i64") for n in ("low", "high", "j0", "j1")]
    name = f"strassen_combine_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: TileShape) -> None:
        self.f, self.shape = f, shape
        self.args, tiles, self.factors, self.products, self.low, self.high, self.j0, self.j1 = f.params
        self.word = {w: f.word(self.args, w) for w in Gemm if w > Gemm.EPILOGUE}
        self.c = f.word(self.args, Gemm.C, "ptr")
        self.end = End(f, shape, self.args, Gemm)
        self.coords = new_words(f, {}, 3)
        size = int_(2 * STRIP_PAIRS * shape.panel_row_bytes)
        self.sides = tiles, f.gep(tiles, size, "i8")

    def write(self) -> None:
        f = self.f
        with f.loop(self.j0, self.j1, 1, [self.products]) as panel:
            with f.loop(self.low, self.high, STRIP_PAIRS, panel.carried) as strip:
                count = f.smin(f.sub(self.high, strip.index), int_(STRIP_PAIRS))
                source = self._strip(strip.index, count, strip.carried[0])
                self._end(strip.index, count, panel.index)
                strip.next(source)
            panel.next(strip.carried[0])
        f.ret()
        f.finish()

    def _strip(self, first: V, count: V, source: V) -> V:
        """The tiles of some pairs of rows; returns where the products of the next begin."""
        f, shape = self.f, self.shape
        row_bytes = int_(shape.panel_row_bytes)
        factors = f.gep(self.factors, f.mul(f.sub(first, self.low), int_(2)), shape.dtype)
        with f.loop(int_(0), count, 1, [source, factors, *self.sides]) as pair:
            at, scale, *to = pair.carried
            upper, lower = (
                f.splat(f.load(f.gep(scale, int_(n), shape.dtype), shape.dtype), shape.lanes) for n in (0, 1)
            )
            below = [f.gep(side, row_bytes, "i8") for side in to]
            for n in range(0, shape.columns, shape.lanes):
                places = (int_(p * shape.columns + n) for p in range(PRODUCTS))
                products = [f.load(f.gep(at, place, shape.dtype), shape.vector) for place in places]
                quarters = [q.value for q in results([Summand(f, p) for p in products])]
                scaled = zip(quarters, (upper, upper, lower, lower), (*to, *below), strict=True)
                for quarter, factor, row in scaled:
                    f.store(f.binary("fmul", quarter, factor), f.gep(row, int_(n), shape.dtype))
            pair.next(
                f.gep(at, int_(product_row_bytes(shape)), "i8"),
                f.gep(scale, int_(2), shape.dtype),
                *(f.gep(side, row_bytes, "i8") for side in below),
            )
        return pair.carried[0]

    def _end(self, first: V, pairs: V, panel: V) -> None:
        """Give the tiles of both panels to their end, without a row that is not there."""
        f, word, shape = self.f, self.word, self.shape
        m = f.mul(first, int_(2))
        rows = f.smin(f.mul(pairs, int_(2)), f.sub(word[Gemm.M], m))
        for side, address in enumerate(self.sides):
            n = f.mul(f.add(f.mul(panel, int_(2)), int_(side)), int_(shape.columns))
            self._side(Tile(address, int_(shape.columns), rows, int_(shape.columns)), m, n)

    def _side(self, tile: Tile, m: V, n: V) -> None:
        f, word = self.f, self.word

        def place(base: V, row: V) -> Strided:
            at = f.add(f.mul(m, row), n)
            return Strided(f.gep(base, at, self.shape.dtype), row, int_(1))

        def store() -> None:
            to, residual = place(self.c, word[Gemm.C_M]), place(self.end.residual, word[Gemm.R_M])
            self.end.store(tile, to, residual, self.end.bias(n), by_row=int_(0, "i1"))

        self.end.pass_on(tile, self.coords, {1: m, 2: n}, store)
