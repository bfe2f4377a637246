"""Tiles of samples, transformed to points, each with all channels.

Decides how a tile moves through registers; must not know what the points are multiplied by.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.combine import combined
from sardonyx.kernels.winograd.cook_toom import TAPS, Transforms
from sardonyx.kernels.winograd.tiles import Grid, Position
from sardonyx.llvm.vec import Function, Module, V, int_


def define_input_transform(module: Module, shape: TileShape, transforms: Transforms) -> str:
    """Add `void @winograd*_input_f32(args, patch, to, low, high)`; returns the name.

    to[tile - low][point][channel] for tiles low..high of all blocks of channels, as `Winograd` lays it out.
    Beyond its sample a tile reads the last line or pixel once more: that decides nothing that is kept, and
    no other memory is touched. `patch` is memory for a tile of points.
    """
    params = [*((n, "ptr") for n in ("args", "patch", "to")), ("low", "i64"), ("high", "i64")]
    name = f"winograd{transforms.outputs}_input_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape, transforms).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: TileShape, transforms: Transforms) -> None:
        self.f, self.shape, self.transforms = f, shape, transforms
        self.args, self.patch, self.to, self.low, self.high = f.params
        self.word = {w: f.word(self.args, w) for w in Winograd if w > Winograd.EPILOGUE}

    def write(self) -> None:
        f, word = self.f, self.word
        grid = Grid.of(f, word[Winograd.LINES], word[Winograd.PIXELS], self.transforms.outputs)
        first = grid.position(f, self.low)
        blocks = ceil_div(f, word[Winograd.CHANNELS_IN], int_(self.shape.block))
        x = f.word(self.args, Winograd.X, "ptr")
        with f.loop(self.low, self.high, 1, [self.to, *first.values]) as tile:
            to, *values = tile.carried
            position = Position(*values)
            self._tile(x, position, to, blocks)
            pitch = self._bytes(word[Winograd.TILE_PITCH])
            tile.next(f.gep(to, pitch, "i8"), *grid.after(f, position, int_(1)).values)
        f.ret()
        f.finish()

    def _bytes(self, elements: V) -> V:
        return self.f.mul(elements, int_(self.shape.element))

    def _tile(self, x: V, position: Position, to: V, blocks: V) -> None:
        """One tile, a vector of channels at a time."""
        f, word, n = self.f, self.word, self.transforms.inputs
        line, pixel = (f.mul(p, int_(self.transforms.outputs)) for p in (position.line, position.column))
        at = f.mul(position.sample, word[Winograd.X_BATCH])
        at = f.add(at, f.mul(line, word[Winograd.X_LINE]))
        at = f.add(at, f.mul(pixel, word[Winograd.X_PIXEL]))
        x = f.gep(x, at, self.shape.dtype)
        last_line, last_pixel = (
            f.sub(f.add(word[size], int_(TAPS - 2)), begin)
            for size, begin in ((Winograd.LINES, line), (Winograd.PIXELS, pixel))
        )
        line_bytes = self._bytes(word[Winograd.X_LINE])
        lines = [f.mul(f.smin(int_(i), last_line), line_bytes) for i in range(n)]
        step = self._bytes(word[Winograd.X_BLOCK])
        with f.loop(int_(0), blocks, 1, [x, to]) as block:
            x, to = block.carried
            with f.loop(int_(0), int_(self.shape.block), self.shape.lanes) as part:
                self._down(f.gep(x, part.index, self.shape.dtype), lines, last_pixel)
                self._across(f.gep(to, part.index, self.shape.dtype))
            block.next(f.gep(x, step, "i8"), f.gep(to, int_(self.shape.block), self.shape.dtype))

    def _down(self, x: V, lines: list[V], last_pixel: V) -> None:
        """The columns of a tile, transformed into the patch."""
        f, n, vector = self.f, self.transforms.inputs, self.shape.vector
        row = int_(n * self.shape.block * self.shape.element)
        pixel_bytes = self._bytes(self.word[Winograd.X_PIXEL])
        with f.loop(int_(0), int_(n), 1, [self.patch]) as column:
            source = f.gep(x, f.mul(f.smin(column.index, last_pixel), pixel_bytes), "i8")
            values = [f.load(f.gep(source, line, "i8"), vector) for line in lines]
            to = column.carried[0]
            for i, value in enumerate(combined(f, self.transforms.data, values)):
                f.store(value, f.gep(to, f.mul(row, int_(i)), "i8"))
            column.next(f.gep(to, int_(self.shape.block), self.shape.dtype))

    def _across(self, to: V) -> None:
        """The rows of the patch, transformed into points."""
        f, n, vector = self.f, self.transforms.inputs, self.shape.vector
        pitch = self._bytes(self.word[Winograd.POINT_PITCH])
        with f.loop(int_(0), int_(n), 1, [self.patch, to]) as row:
            source, to = row.carried
            at = [f.gep(source, int_(j * self.shape.block), self.shape.dtype) for j in range(n)]
            values = [f.load(p, vector) for p in at]
            for value in combined(f, self.transforms.data, values):
                f.store(value, to)
                to = f.gep(to, pitch, "i8")
            row.next(f.gep(source, int_(n * self.shape.block), self.shape.dtype), to)
