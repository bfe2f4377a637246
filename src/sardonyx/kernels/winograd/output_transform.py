"""Products of tiles, transformed back to pixels, and given to the end of the convolution line by line.

Decides how a tile moves through registers; must not know where the products come from.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div, new_words
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import LINE_TILES, product_tile_bytes
from sardonyx.kernels.winograd.combine import combined, divided
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.kernels.winograd.tiles import Beside, Grid, Position
from sardonyx.llvm.vec import Function, Module, V, int_


def define_output_transform(module: Module, shape: TileShape, scheme: Scheme) -> str:
    """Add `void @winograd_*_output_f32(args, patch, products, low, high, p0, p1)`; returns the name.

    The pixels of tiles low..high in the channels of panels p0..p1, from products[panel - p0][tile - low]
    [point][columns]. `patch` is memory for a tile of points, and lines of pixels.
    """
    params = [(n, "ptr") for n in ("args", "patch", "products")]
    params += [(n, "i64") for n in ("low", "high", "p0", "p1")]
    name = f"winograd_{scheme.name}_output"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape, scheme).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: TileShape, scheme: Scheme) -> None:
        self.f, self.shape, self.scheme = f, shape, scheme
        self.args, self.patch, self.products, self.low, self.high, self.p0, self.p1 = f.params
        self.word = {w: f.word(self.args, w) for w in Winograd if w > Winograd.EPILOGUE}
        self.end = End(f, shape, self.args, Winograd)
        self.coords = new_words(f, {}, 5)
        self.pixels = f.gep(self.patch, int_(scheme.points * self.shape.block), shape.dtype)
        self.tile_bytes = product_tile_bytes(scheme.points, shape)
        self.line_pitch = LINE_TILES * scheme.outputs[1] * self.shape.block

    def write(self) -> None:
        f, shape, word = self.f, self.shape, self.word
        self.grid = Grid.of(f, self.scheme, word)
        panel_bytes = f.mul(word[Winograd.TILES], int_(self.tile_bytes))
        first = f.mul(self.p0, int_(shape.columns // self.shape.block))
        blocks = ceil_div(f, word[Winograd.CHANNELS], int_(self.shape.block))
        last = f.smin(f.mul(self.p1, int_(shape.columns // self.shape.block)), blocks)
        with f.loop(first, last) as block:
            number = f.sub(block.index, first)
            per_panel = int_(shape.columns // self.shape.block)
            panel, part = f.binary("udiv", number, per_panel), f.binary("urem", number, per_panel)
            source = f.gep(self.products, f.mul(panel, panel_bytes), "i8")
            self._block(block.index, f.gep(source, f.mul(part, int_(self.shape.block)), shape.dtype))
        f.ret()
        f.finish()

    def _block(self, block: V, source: V) -> None:
        """All tiles of one block of channels, some of one line at a time."""
        f = self.f
        first = self.grid.position(f, self.low)
        row = int_(self.tile_bytes)
        carried = [self.low, source, *first.values]
        with f.repeat(lambda tile, *_: f.icmp("slt", tile, self.high), carried) as run:
            tile, source, *values = run.carried
            position = Position(*values)
            beside = Beside.of(f, self.grid.pixels, position.column, f.sub(self.high, tile))
            count, pitch = beside.tiles, f.mul(beside.tile_pitch, int_(self.shape.block))
            self.pixel_bytes = f.mul(beside.pixel_pitch, int_(self.shape.block * self.shape.element))
            with f.loop(int_(0), count, 1, [source, self.pixels]) as each:
                self._tile(*each.carried)
                following = f.gep(each.carried[1], pitch, self.shape.dtype)
                each.next(f.gep(each.carried[0], row, "i8"), following)
            self._lines(block, position, beside)
            after = self.grid.after(f, position, count)
            run.next(f.add(tile, count), f.gep(source, f.mul(count, row), "i8"), *after.values)

    def _tile(self, source: V, to: V) -> None:
        """One tile to its pixels, a vector of channels at a time."""
        f, n, point = self.f, self.scheme.across.inputs, self.shape.panel_row_bytes
        with f.loop(int_(0), int_(self.shape.block), self.shape.lanes) as part:
            source, into = (f.gep(base, part.index, self.shape.dtype) for base in (source, to))
            if self.scheme.has_lines:
                self._down(source)
                self._across(into)
            else:
                self._row([f.gep(source, int_(j * point), "i8") for j in range(n)], into)

    def _down(self, source: V) -> None:
        """The columns of points, transformed into the patch."""
        f, n, vector = self.f, self.scheme.across.inputs, self.shape.vector
        point = self.shape.panel_row_bytes
        with f.loop(int_(0), int_(n), 1, [source, self.patch]) as column:
            at, to = column.carried
            down = self.scheme.down
            values = [f.load(f.gep(at, int_(i * n * point), "i8"), vector) for i in range(down.inputs)]
            for i, value in enumerate(combined(f, down.result, values)):
                f.store(value, f.gep(to, int_(i * n * self.shape.block), self.shape.dtype))
            column.next(f.gep(at, int_(point), "i8"), f.gep(to, int_(self.shape.block), self.shape.dtype))

    def _across(self, to: V) -> None:
        """The rows of the patch, transformed into lines of pixels."""
        f, n = self.f, self.scheme.across.inputs
        with f.loop(int_(0), int_(self.scheme.outputs[0]), 1, [self.patch, to]) as row:
            source, to = row.carried
            self._row([f.gep(source, int_(j * self.shape.block), self.shape.dtype) for j in range(n)], to)
            row.next(
                f.gep(source, int_(n * self.shape.block), self.shape.dtype),
                f.gep(to, int_(self.line_pitch), self.shape.dtype),
            )

    def _row(self, points: Sequence[V], to: V) -> None:
        """The points of one line at those addresses, transformed into its pixels."""
        f = self.f
        values = [f.load(address, self.shape.vector) for address in points]
        for j, value in enumerate(combined(f, self.scheme.across.result, values)):
            value = divided(f, value, self.scheme.divisor)
            to = to if j == 0 else f.gep(to, self.pixel_bytes, "i8")
            f.store(value, to)

    def _lines(self, block: V, position: Position, beside: Beside) -> None:
        """Give the lines of some tiles to their end, without what lies beyond the sample."""
        f, grid, width = self.f, self.grid, int_(self.shape.block)
        line, pixel = grid.first(f, position)
        lines = f.smin(grid.lines.left(f, line), int_(self.scheme.outputs[0]))
        piece_pitch = f.mul(beside.pixels, width)
        with f.loop(int_(0), lines, 1, [self.pixels]) as each:
            at = f.add(line, f.mul(each.index, grid.lines.step))
            with f.loop(int_(0), beside.pieces, 1, [each.carried[0], pixel]) as piece:
                address, first = piece.carried
                pixels = f.smin(f.sub(grid.pixels.size, first), beside.pixels)
                with f.when(f.icmp("sgt", pixels, int_(0))):
                    self._end(Tile(address, width, pixels, width), [position.sample, block, at, first])
                piece.next(f.gep(address, piece_pitch, self.shape.dtype), f.add(first, grid.pixels.step))
            each.next(f.gep(each.carried[0], int_(self.line_pitch), self.shape.dtype))

    def _end(self, tile: Tile, coords: list[V]) -> None:
        def store() -> None:
            y, residual = (self._place(operand, coords) for operand in "YR")
            bias = self.end.bias(self.f.mul(coords[1], int_(self.shape.block)))
            self.end.store(tile, y, residual, bias, by_row=int_(0, "i1"))

        self.end.pass_on(tile, self.coords, dict(enumerate(coords)), store)

    def _place(self, operand: str, coords: list[V]) -> Strided:
        """Where pixels lie in Y or in the residual."""
        f = self.f
        strides = [self.word[Winograd[f"{operand}_{name}"]] for name in ("BATCH", "BLOCK", "LINE", "PIXEL")]
        at = int_(0)
        for coordinate, stride in zip(coords, strides, strict=True):
            at = f.add(at, f.mul(coordinate, stride))
        base = f.word(self.args, Winograd.Y, "ptr") if operand == "Y" else self.end.residual
        return Strided(f.gep(base, at, self.shape.dtype), strides[-1], int_(1))
