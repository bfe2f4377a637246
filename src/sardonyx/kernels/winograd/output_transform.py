"""Products of tiles, transformed back to pixels, and given to the end of the convolution.

In registers where they are only stored, with bias, residual and limits, or with slopes below 0; else line by
line. Decides how a tile moves through registers; must not know where the products come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.arguments import LEAKY, Winograd
from sardonyx.kernels.share import ceil_div, new_words
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.microkernel import added, clamped, hidden, leaked, prefetch
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import LINE_TILES, product_tile_bytes
from sardonyx.kernels.winograd.combine import combined, combined_at, divided, half_fits
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.kernels.winograd.tiles import Along, Beside, Grid, Position
from sardonyx.llvm.vec import Function, Module, V, int_


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Where those of a tile lie: the first, bytes between lines, and from the first of a line to each."""

    first: V
    line_bytes: V
    distances: Sequence[V]

    def line(self, f: Function, first: V, number: V) -> list[V]:
        """The addresses of the pixels of a line of the tile whose first pixel is there."""
        at = hidden(f, f.gep(first, f.mul(number, self.line_bytes), "i8"))
        return [f.gep(at, distance, "i8") for distance in self.distances]


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
        self.in_registers = half_fits(shape, scheme.down.result, scheme.across.inputs)
        self.line_pitch = LINE_TILES * scheme.outputs[1] * self.shape.block

    def write(self) -> None:
        f, shape, word = self.f, self.shape, self.word
        self.grid = Grid.of(f, self.scheme, word)
        panel_bytes = f.mul(word[Winograd.TILES], int_(self.tile_bytes))
        per_panel = int_(shape.columns // self.shape.block)
        first = f.mul(self.p0, per_panel)
        blocks = ceil_div(f, word[Winograd.CHANNELS], int_(self.shape.block))
        last = f.smin(f.mul(self.p1, per_panel), blocks)
        hints = "leaky", "others", "stored", "passed", "done"
        leaky, others, stored, passed, done = map(f.new_label, hints)
        ends: dict[str, Callable[[V, V], None]] = {
            stored: partial(self._store_block, leaks=False),
            passed: self._pass_on_block,
        }
        if shape.is_float:
            ends[leaky] = partial(self._store_block, leaks=True)
            f.branch(f.icmp("eq", word[Winograd.FINISH], int_(LEAKY)), leaky, others)
            f.start(others)
        f.branch(self.end.unfused, stored, passed)
        for label, block_of_tiles in ends.items():
            f.start(label)
            with f.loop(first, last) as block:
                number = f.sub(block.index, first)
                panel, part = f.binary("udiv", number, per_panel), f.binary("urem", number, per_panel)
                source = f.gep(self.products, f.mul(panel, panel_bytes), "i8")
                block_of_tiles(block.index, f.gep(source, f.mul(part, int_(self.shape.block)), shape.dtype))
            f.jump(done)
        f.start(done)
        f.ret()
        f.finish()

    def _store_block(self, block: V, source: V, *, leaks: bool) -> None:
        """All tiles of one block of channels, from registers to where they belong."""
        f, first = self.f, self.grid.position(self.f, self.low)
        limits = [f.splat(limit, self.shape.lanes) for limit in self.end.limits.values()]
        with f.loop(self.low, self.high, 1, [source, *first.values]) as each:
            source, *values = each.carried
            position = Position(*values)
            begin = [position.sample, block, *self.grid.first(f, position)]
            with f.when(f.icmp("slt", begin[3], self.grid.pixels.size)):
                self._store_tile(source, begin, limits, leaks=leaks)
            after = self.grid.after(f, position, int_(1))
            each.next(f.gep(source, int_(self.tile_bytes), "i8"), *after.values)

    def _store_tile(self, source: V, begin: list[V], limits: Sequence[V], *, leaks: bool) -> None:
        """The tile that begins there. What lies beyond the last pixel of a line goes to it, before it."""
        f, grid, vector = self.f, self.grid, self.shape.vector
        _, block, line, pixel = begin
        kept = _kept(f, grid.pixels, pixel, self.scheme.outputs[1])
        to, residual = self._pixels("Y", begin, kept), self._pixels("R", begin, kept)
        channel = f.mul(block, int_(self.shape.block))
        bias = self.end.bias(channel)
        slopes = f.gep(f.word(self.args, Winograd.SLOPES, "ptr"), channel, self.shape.dtype)
        if self.scheme.tile:
            with f.when(f.icmp("slt", line, grid.lines.size)):
                self._ask_for_next(to, begin)
        with f.loop(int_(0), int_(self.shape.block), self.shape.lanes) as part:
            own, *at = (
                f.gep(a, part.index, self.shape.dtype) for a in (bias, source, to.first, residual.first)
            )
            shift = f.load(own, vector)
            for number, points in self._lines(at[0]):
                distance = f.mul(int_(number), grid.lines.step)
                with f.when(f.icmp("slt", f.add(line, distance), grid.lines.size)):
                    if leaks:
                        slope = f.load(f.gep(slopes, part.index, self.shape.dtype), vector)
                        values = [leaked(f, added(f, value, shift), slope) for value in self._row(points)]
                    else:
                        # The residual may lie where results go to.
                        others = [f.load(address, vector) for address in residual.line(f, at[2], distance)]
                        values = [
                            clamped(f, added(f, added(f, value, shift), other), *limits)
                            for value, other in zip(self._row(points), others, strict=True)
                        ]
                    addresses = to.line(f, at[1], distance)
                    for value, address in zip(reversed(values), reversed(addresses), strict=True):
                        f.store(value, address)

    def _ask_for_next(self, to: _Pixels, begin: list[V]) -> None:
        """Ask for what the next tile of the line writes, none beyond the last line and pixel."""
        f, grid = self.f, self.grid
        high, wide = self.scheme.outputs
        last_line, last_pixel = (
            f.sub(along.left(f, first), int_(1))
            for along, first in zip((grid.lines, grid.pixels), begin[2:], strict=True)
        )
        pixel = f.mul(self._bytes(self.word[Winograd.Y_PIXEL]), grid.pixels.step)
        for i in range(high):
            line = to.line(f, to.first, f.mul(f.smin(int_(i), last_line), grid.lines.step))[0]
            for j in range(wide, 2 * wide):
                prefetch(f, f.gep(line, f.mul(f.smin(int_(j), last_pixel), pixel), "i8"), 1)

    def _pixels(self, operand: str, begin: list[V], kept: Sequence[V]) -> _Pixels:
        """Those of Y, or of a residual (R): the first of a tile, and as many of a line as are `kept`."""
        f, end = self.f, self.end
        first = self._place(operand, begin).address
        line, pixel = (self._bytes(self.word[Winograd[f"{operand}_{name}"]]) for name in ("LINE", "PIXEL"))
        if operand == "R":
            first, line, pixel = (
                end.residual_or_zeros(first),
                end.residual_stride(line),
                end.residual_stride(pixel),
            )
        return _Pixels(first, line, [f.mul(distance, pixel) for distance in kept])

    def _bytes(self, elements: V) -> V:
        return self.f.mul(elements, int_(self.shape.element))

    def _pass_on_block(self, block: V, source: V) -> None:
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
            self._pass_on_lines(block, position, beside)
            after = self.grid.after(f, position, count)
            run.next(f.add(tile, count), f.gep(source, f.mul(count, row), "i8"), *after.values)

    def _tile(self, source: V, to: V) -> None:
        """One tile to lines of pixels, a vector of channels at a time."""
        f = self.f
        with f.loop(int_(0), int_(self.shape.block), self.shape.lanes) as part:
            source, to = (f.gep(base, part.index, self.shape.dtype) for base in (source, to))
            for number, points in self._lines(source):
                into = f.gep(to, int_(number * self.line_pitch), self.shape.dtype)
                for value in self._row(points):
                    f.store(value, into)
                    into = f.gep(into, self.pixel_bytes, "i8")

    def _lines(self, source: V) -> Iterator[tuple[int, Sequence[V]]]:
        """The lines of a tile, each as points along pixels."""
        f, scheme, point = self.f, self.scheme, self.shape.panel_row_bytes
        across, down, load = scheme.across.inputs, scheme.down, partial(f.load, type_=self.shape.vector)
        columns = [
            [f.gep(source, int_((i * across + j) * point), "i8") for i in range(down.inputs)]
            for j in range(across)
        ]
        if not scheme.has_lines:
            yield 0, [load(address) for (address,) in columns]
            return
        if not self.in_registers:
            self._down(source)
            for i in range(down.outputs):
                numbers = range(i * across, (i + 1) * across)
                at = [f.gep(self.patch, int_(n * self.shape.block), self.shape.dtype) for n in numbers]
                yield i, [load(address) for address in at]
            return
        for first in range(2):
            rows = down.result[first::2]
            done = [combined_at(f, rows, column, load) for column in columns]
            yield from ((first + 2 * n, points) for n, points in enumerate(zip(*done, strict=True)))

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

    def _row(self, points: Sequence[V]) -> list[V]:
        """The pixels of a line."""
        values = combined(self.f, self.scheme.across.result, points)
        return [divided(self.f, value, self.scheme.divisor) for value in values]

    def _pass_on_lines(self, block: V, position: Position, beside: Beside) -> None:
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


def _kept(f: Function, along: Along, first: V, count: int) -> list[V]:
    """How far results of a tile lie behind its first, those beyond the last where that lies."""
    kept = [int_(0)]
    for n in range(1, count):
        distance = f.mul(int_(n), along.step)
        inside = f.icmp("slt", f.add(first, distance), along.size)
        kept.append(f.select(inside, distance, kept[-1]))
    return kept
