"""Tiles of samples, transformed to points, each with all channels.

Decides how a tile moves through registers; must not know what the points are multiplied by.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div
from sardonyx.kernels.tiles.microkernel import hidden, multiples, prefetch
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.combine import combined, combined_at, half_fits
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.kernels.winograd.tiles import Grid, Position
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_


def define_input_transform(module: Module, shape: TileShape, scheme: Scheme) -> str:
    """Add `void @winograd_*_input_f32(args, patch, to, group, low, high)`; returns the name.

    to[tile - low][point][channel] for tiles low..high of the channels of a group, as `Winograd` lays it out.
    Beyond its sample a tile reads the last line or pixel once more: that decides nothing that is kept, and
    no other memory is touched. `patch` is memory for a tile of points. Integers stay exact: what they become
    fits 16 bits.
    """
    params = [(n, "ptr") for n in ("args", "patch", "to")]
    params += [(n, "i64") for n in ("group", "low", "high")]
    name = f"winograd_{scheme.name}_input"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape, scheme).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: TileShape, scheme: Scheme) -> None:
        self.f, self.shape, self.scheme = f, shape, scheme
        self.type, self.source = shape.a_type, f"i{scheme.samples.bits}" if scheme.is_whole else shape.a_type
        self.in_registers = scheme.has_lines and half_fits(shape, scheme.down.data, scheme.across.inputs)
        register = shape.lanes * shape.depth
        self.blocks = max(1, register // shape.block) if self.in_registers else 1
        self.lanes = min(self.blocks * shape.block, register)
        prefetched = shape.prefetch
        self.asks = bool(scheme.tile) or (shape.is_float and (prefetched.rows or prefetched.far_rows))
        self.args, self.patch, self.to, self.group, self.low, self.high = f.params
        self.word = {w: f.word(self.args, w) for w in Winograd if w > Winograd.EPILOGUE}

    def write(self) -> None:
        f, word = self.f, self.word
        self.grid = grid = Grid.of(f, self.scheme, word)
        first = grid.position(f, self.low)
        blocks = ceil_div(f, word[Winograd.CHANNELS_IN], int_(self.shape.block))
        before = f.mul(f.mul(self.group, blocks), word[Winograd.X_BLOCK])
        x = f.gep(f.word(self.args, Winograd.X, "ptr"), before, self.source)
        self.points = multiples(f, word[Winograd.POINT_PITCH])
        with f.loop(self.low, self.high, 1, [self.to, *first.values]) as tile:
            to, *values = tile.carried
            position = Position(*values)
            self._tile(x, position, to, blocks)
            tile.next(f.gep(to, word[Winograd.TILE_PITCH], "i8"), *grid.after(f, position, int_(1)).values)
        f.ret()
        f.finish()

    def _bytes(self, elements: V) -> V:
        return self.f.mul(elements, int_(size_of(self.source)))

    def _sample(self, address: V) -> V:
        """A vector of channels of a pixel."""
        f = self.f
        each = vector_of(self.source, min(self.lanes, self.shape.block))
        first, *others = (f.load(f.gep(address, by, "i8"), each) for by in self.beside)
        for other in others:
            first = f.shuffle(first, other, range(first.lanes + other.lanes))
        return f.convert("zext", first, self.type)

    def _tile(self, x: V, position: Position, to: V, blocks: V) -> None:
        """One tile, a vector of channels at a time, of several blocks if it is longer.

        A last block that is alone stands for those beside it: points are whole cache lines apart.
        """
        f, word, scheme = self.f, self.word, self.scheme
        line, pixel = self.grid.first(f, position)
        at = f.mul(position.sample, word[Winograd.X_BATCH])
        at = f.add(at, f.mul(line, f.mul(word[Winograd.X_LINE], int_(scheme.step))))
        at = f.add(at, f.mul(pixel, f.mul(word[Winograd.X_PIXEL], int_(scheme.step))))
        x = f.gep(x, at, self.source)
        last_line, last_pixel = (
            f.add(f.mul(along.left(f, first), int_(scheme.step)), int_(taps - 1 - scheme.step))
            for along, first, taps in zip(
                (self.grid.lines, self.grid.pixels), (line, pixel), scheme.taps, strict=True
            )
        )
        line_bytes = f.mul(self._bytes(word[Winograd.X_LINE]), self.grid.lines.step)
        self.pixel_bytes = f.mul(self._bytes(word[Winograd.X_PIXEL]), self.grid.pixels.step)
        lines = [f.mul(f.smin(int_(i), last_line), line_bytes) for i in range(scheme.down.inputs)]
        step = self._bytes(word[Winograd.X_BLOCK])
        pixels = [f.mul(f.smin(int_(j), last_pixel), self.pixel_bytes) for j in range(scheme.across.inputs)]
        later = [
            f.mul(f.smin(int_(scheme.across.inputs + j), last_pixel), self.pixel_bytes)
            for j in range(scheme.outputs[1] * scheme.step if self.asks else 0)
        ]
        size = self.blocks * self.shape.block
        is_far = f.icmp("sgt", f.mul(blocks, step), word[Winograd.L2_BYTES])
        asks = int_(1, "i1") if scheme.tile else is_far
        with f.loop(int_(0), blocks, self.blocks, [x, to]) as block:
            x, to = block.carried
            last = f.sub(f.sub(blocks, int_(1)), block.index)
            self.beside = [f.mul(f.smin(int_(n), last), step) for n in range(self.blocks)]
            with f.loop(int_(0), int_(size), self.lanes) as part:
                source, into = f.gep(x, part.index, self.source), f.gep(to, part.index, self.type)
                if self.in_registers:
                    self._rows(source, lines, pixels, into)
                elif scheme.has_lines:
                    self._down(source, lines, last_pixel)
                    self._across(into)
                else:
                    self._line(source, pixels, into)
            with f.when(asks):
                self._ask(x, lines, later)
            block.next(f.gep(x, f.mul(step, int_(self.blocks)), "i8"), f.gep(to, int_(size), self.type))

    def _line(self, x: V, pixels: Sequence[V], to: V) -> None:
        """A tile of one line, transformed into points."""
        f = self.f
        values = [self._sample(f.gep(x, pixel, "i8")) for pixel in pixels]
        for value in combined(f, self.scheme.across.data, values):
            f.store(value, to)
            to = f.gep(to, self.word[Winograd.POINT_PITCH], "i8")

    def _pixel(self, x: V, pixel: V, last_pixel: V) -> V:
        """The address of a pixel of a tile, or of the last that is there."""
        f = self.f
        return f.gep(x, f.mul(f.smin(pixel, last_pixel), self.pixel_bytes), "i8")

    def _rows(self, x: V, lines: Sequence[V], pixels: Sequence[V], to: V) -> None:
        """All rows of points, half of them at a time from the pixels to the end in registers."""
        f, rows, across = self.f, self.scheme.down.data, self.scheme.across
        *distances, pitch = self.points[: across.inputs + 1]
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            columns = []
            for pixel in pixels:
                first = hidden(f, f.gep(x, pixel, "i8"))
                at = [f.gep(first, line, "i8") for line in lines]
                columns.append(combined_at(f, part, at, self._sample))
            for row in zip(*columns, strict=True):
                to = hidden(f, to)
                for value, distance in zip(combined(f, across.data, row), distances, strict=True):
                    f.store(value, f.gep(to, distance, "i8"))
                to = f.gep(to, pitch, "i8")

    def _ask(self, x: V, lines: Sequence[V], pixels: Sequence[V]) -> None:
        """Ask for pixels of the next tile of the line: no machine guesses as many lines as tiles read."""
        f = self.f
        for pixel in pixels:
            first = hidden(f, f.gep(x, pixel, "i8"))
            for line in lines:
                prefetch(f, f.gep(first, line, "i8"), 2 if self.scheme.tile else 1)

    def _down(self, x: V, lines: list[V], last_pixel: V) -> None:
        """The columns of a tile, transformed into the patch."""
        f, n = self.f, self.scheme.across.inputs
        row = int_(n * self.shape.block * size_of(self.type))
        with f.loop(int_(0), int_(n), 1, [self.patch]) as column:
            source = self._pixel(x, column.index, last_pixel)
            values = [self._sample(f.gep(source, line, "i8")) for line in lines]
            to = column.carried[0]
            for i, value in enumerate(combined(f, self.scheme.down.data, values)):
                f.store(value, f.gep(to, f.mul(row, int_(i)), "i8"))
            column.next(f.gep(to, int_(self.shape.block), self.type))

    def _across(self, to: V) -> None:
        """The rows of the patch, transformed into points."""
        f, n, vector = self.f, self.scheme.across.inputs, vector_of(self.type, self.lanes)
        pitch = self.word[Winograd.POINT_PITCH]
        with f.loop(int_(0), int_(self.scheme.down.inputs), 1, [self.patch, to]) as row:
            source, to = row.carried
            at = [f.gep(source, int_(j * self.shape.block), self.type) for j in range(n)]
            values = [f.load(p, vector) for p in at]
            for value in combined(f, self.scheme.across.data, values):
                f.store(value, to)
                to = f.gep(to, pitch, "i8")
            row.next(f.gep(source, int_(n * self.shape.block), self.type), to)
