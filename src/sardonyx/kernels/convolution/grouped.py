"""Convolutions of groups with a few channels each, as many out as in: several groups fill a vector.

Each lane sums over the channels of its group, which a shuffle brings to all lanes of the group; a pixel that
is read serves all columns of the window that it falls into. Decides tiles of pixels and the order of sums;
must not know what an epilogue computes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.emit.shares import Shares
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.share import ceil_div, my_runs, new_words
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.microkernel import TileWords, added, clamped
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

_CHANNELS = (2, 4, 8)
_COLUMNS = 5
_STRIDE = 2
"""The most columns of a window, and the largest step between windows, that are written out."""

_WIDTHS = (8, 7, 4, 2, 1)
"""Pixels of a tile; the last tile of a line begins earlier, and computes some again."""


_TILES = 8
"""Tiles of a strip, which are given to the end together, while they are in L1."""


@dataclass(frozen=True, slots=True)
class Few:
    """Groups of `channels` channels, windows of `columns` columns, `stride` pixels apart in a line."""

    channels: int
    columns: int
    stride: int

    @property
    def name(self) -> str:
        """What tells its functions from others."""
        return f"grouped{self.channels}x{self.columns}s{self.stride}"

    @property
    def row_weights(self) -> int:
        """Vectors of weights of a row of the window, of one block of channels."""
        return self.channels * self.columns


def few_channels(anchor: Value, place: Place, goal: Goal) -> Few | None:
    """The groups of a convolution whose input is at `place`, if this kernel computes it."""
    x, w, *laid_out = anchor.args
    at, block = anchor.attrs, goal.target.channel_block
    if anchor.prim != "conv_blocked" or anchor.dtype is not dt.F32 or x.rank != 5 or laid_out:
        return None
    if "runs" in at:
        return None
    outputs, channels, _, columns = (int(n) for n in w.shape)  # type: ignore[arg-type]
    square = outputs == at["group"] * channels and channels in _CHANNELS and block % goal.target.lanes == 0
    written = columns <= _COLUMNS and at["strides"][1] <= _STRIDE and at["dilations"][1] == 1
    dense = place.strides[3:] == (block, 1)
    return Few(channels, columns, at["strides"][1]) if square and written and dense else None


def define_grouped(module: Module, goal: Goal, few: Few) -> None:
    """Add `void @sdx_conv_{few.name}_f32(ptr args, ptr ctx)`: words of `Conv`, blocked in and out.

    Weights are laid out by `pack_grouped_weights`. Threads share out the lines of all blocks.
    """
    shape = TileShape.of(goal, "f32")
    define_lines(module, shape, few, Lines(module, shape, few).write())


def define_lines(module: Module, shape: TileShape, few: Few, lines: str) -> None:
    """Add `void @sdx_conv_*(ptr args, ptr ctx)`: threads share out the `lines` of all blocks."""
    f = Function(module, f"sdx_conv_{few.name}_{shape.operand}", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    names = (Conv.BATCH, Conv.GROUPS, Conv.LINES, Conv.PIXELS, Conv.TAPS2)
    batch, groups, count, pixels, rows = (f.word(args, w) for w in names)
    blocks = ceil_div(f, f.mul(groups, int_(few.channels)), int_(shape.block))
    outer = f.mul(batch, blocks)
    points = f.mul(f.mul(outer, count), pixels)
    with f.when(f.icmp("sgt", points, int_(0))):
        work = f.mul(f.mul(points, rows), int_(few.channels * few.columns * shape.block))
        shares = Shares.of(f, ctx, f.word(ctx, Context.NTHREADS), work, f.mul(outer, count))
        with my_runs(f, outer, count, shares) as (index, first, last):
            sample, block = f.binary("udiv", index, blocks), f.binary("urem", index, blocks)
            f.call(lines, "void", args, ctx, sample, block, first, last)
    f.ret()
    f.finish()


class Lines:
    """Writes the function of some lines of one block of channels of a sample."""

    def __init__(self, module: Module, shape: TileShape, few: Few) -> None:
        self.shape, self.few = shape, few
        params = [("args", "ptr"), ("ctx", "ptr"), *((n, "i64") for n in ("sample", "block", "l0", "l1"))]
        name = f"{few.name}_lines_{shape.operand}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.args, self.ctx, self.sample, self.block, self.l0, self.l1 = self.f.params

    def write(self) -> str:
        """Write all of it; returns its name."""
        f, few, shape = self.f, self.few, self.shape
        self.word = word = {w: f.word(self.args, w) for w in Conv if w > Conv.EPILOGUE}
        self.end = End(f, shape, self.args, Conv)
        self.limits = [f.splat(self.end.limits[w], shape.lanes) for w in (TileWords.LOW, TileWords.HIGH)]
        self.scratch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.coords = new_words(f, {0: self.sample}, 5)
        taps = f.mul(word[Conv.TAPS2], int_(few.row_weights * shape.block))
        self.w = f.gep(f.word(self.args, Conv.W, "ptr"), f.mul(self.block, taps), shape.dtype)
        at = f.add(f.mul(self.sample, word[Conv.X_BATCH]), f.mul(self.block, word[Conv.X_CHANNEL]))
        self.x = f.gep(f.word(self.args, Conv.X, "ptr"), at, shape.a_type)
        self.bias = self.end.bias(f.mul(self.block, int_(shape.block)))
        pixels = word[Conv.PIXELS]
        chosen = self._width(pixels)
        for width in _WIDTHS:
            with f.when(f.icmp("eq", chosen, int_(width))), f.loop(self.l0, self.l1) as line:
                self._line(line.index, width)
        f.ret()
        f.finish()
        return f.name

    def _width(self, pixels: V) -> V:
        """The widest tile that fits into a line; of the two widest the one that computes less twice."""
        f, (wide, narrower, *others) = self.f, _WIDTHS
        computed = [f.mul(ceil_div(f, pixels, int_(n)), int_(n)) for n in (wide, narrower)]
        chosen = f.select(f.icmp("sle", *computed), int_(wide), int_(narrower))
        width = int_(others[-1])
        for n in reversed(others[:-1]):
            width = f.select(f.icmp("sge", pixels, int_(n)), int_(n), width)
        width = f.select(f.icmp("sge", pixels, int_(narrower)), int_(narrower), width)
        return f.select(f.icmp("sge", pixels, int_(wide)), chosen, width)

    def _line(self, line: V, width: int) -> None:
        """A line in strips of tiles, each of which is given to the end, if there is one, as a whole."""
        f, shape, pixels = self.f, self.shape, self.word[Conv.PIXELS]
        last, most = f.sub(pixels, int_(width)), _TILES * width
        with f.loop(int_(0), pixels, most) as strip:
            begin, end = f.smin(strip.index, last), f.smin(f.add(strip.index, int_(most)), pixels)
            with f.loop(strip.index, end, width) as tile:
                pixel = f.smin(tile.index, last)
                to = f.gep(self.scratch, f.mul(f.sub(pixel, begin), int_(shape.block)), shape.dtype)
                self._tile(line, pixel, width, to)
            sums = Tile(self.scratch, int_(shape.block), f.sub(end, begin), int_(shape.block))
            coords = dict(enumerate((self.block, line, begin, int_(0)), 1))
            self.end.pass_on(sums, self.coords, coords, lambda: None)

    def _tile(self, line: V, pixel: V, width: int, to: V) -> None:
        """`width` pixels of a line from `pixel` on, vector by vector, finished or kept for the end."""
        f, shape, word = self.f, self.shape, self.word
        at = f.add(f.mul(line, word[Conv.X_LINE]), f.mul(pixel, word[Conv.X_PIXEL]))
        x = f.gep(self.x, at, shape.a_type)
        y, residual = (self._place(operand, line, pixel) for operand in "YR")
        for lane in range(0, shape.block, shape.lanes):
            sums = self._sums(
                f.gep(x, int_(lane), shape.a_type), f.gep(self.w, int_(lane), shape.dtype), width
            )
            stored, kept, done = (f.new_label(hint) for hint in ("stored", "kept", "done"))
            f.branch(self.end.unfused, stored, kept)
            f.start(stored)
            self._finish(sums, y, residual, lane)
            f.jump(done)
            f.start(kept)
            for number, value in enumerate(sums):
                f.store(value, f.gep(to, int_(number * shape.block + lane), shape.dtype))
            f.jump(done)
            f.start(done)

    def _place(self, operand: str, line: V, pixel: V) -> Strided:
        """Where that pixel of the block lies in Y or in the residual, pixels as rows."""
        f, total = self.f, int_(0)
        coordinates = {"BATCH": self.sample, "BLOCK": self.block, "LINE": line, "PIXEL": pixel}
        for name, coordinate in coordinates.items():
            total = f.add(total, f.mul(coordinate, self.word[Conv[f"{operand}_{name}"]]))
        base = f.word(self.args, Conv.Y, "ptr") if operand == "Y" else self.end.residual
        pitch = self.word[Conv[f"{operand}_PIXEL"]]
        return Strided(f.gep(base, total, self.shape.dtype), pitch, int_(1))

    def _sums(self, x: V, w: V, width: int) -> list[V]:
        """The sums of one vector of lanes for pixels from the one whose first tap is at `x`."""
        f, few, shape = self.f, self.few, self.shape
        zero = V("zeroinitializer", shape.vector)
        with f.loop(int_(0), self.word[Conv.TAPS2], 1, [x, w, *[zero] * width]) as row:
            source, weights, *sums = row.carried
            for channel in range(few.channels):
                at = [(channel * few.columns + n) * shape.block for n in range(few.columns)]
                taps = [f.load(f.gep(weights, int_(n), shape.dtype), shape.vector) for n in at]
                # LLVM would keep all pixels for the next channel, and spill them: it shall read them again.
                hidden = f.gep(source, f.opaque(int_(channel)), shape.dtype)
                again = f.gep(hidden, int_(-channel), shape.dtype)
                self._columns(again, taps, channel, sums)
            following = f.gep(weights, int_(few.channels * few.columns * shape.block), shape.dtype)
            row.next(f.gep(source, self.word[Conv.X_TAP2], shape.dtype), following, *sums)
        return row.carried[2:]

    def _columns(self, source: V, taps: Sequence[V], channel: int, sums: list[V]) -> None:
        """Add the products of one channel of each group in one row of the windows."""
        f, few, shape = self.f, self.few, self.shape
        own = [lane // few.channels * few.channels + channel for lane in range(shape.lanes)]
        for column in range((len(sums) - 1) * few.stride + few.columns):
            uses = [(n, column - n * few.stride) for n in range(len(sums))]
            uses = [(n, tap) for n, tap in uses if 0 <= tap < few.columns]
            if not uses:
                continue
            pixel = f.load(f.gep(source, int_(column * shape.block), shape.dtype), shape.vector)
            spread = f.shuffle(pixel, pixel, own)
            for n, tap in uses:
                sums[n] = f.fma(spread, taps[tap], sums[n])

    def _finish(self, sums: Sequence[V], y: Strided, residual: Strided, lane: int) -> None:
        """Bias, residual and limits, and the store."""
        f, shape = self.f, self.shape
        bias = f.load(f.gep(self.bias, int_(lane), shape.dtype), shape.vector)
        added_to = self.end.residual_or_zeros(f.gep(residual.address, int_(lane), shape.dtype))
        pitch = self.end.residual_stride(residual.row)
        for number, value in enumerate(sums):
            other = f.load(f.gep(added_to, f.mul(pitch, int_(number)), shape.dtype), shape.vector)
            value = clamped(f, added(f, added(f, value, bias), other), *self.limits)
            at = f.add(f.mul(y.row, int_(number)), int_(lane))
            f.store(value, f.gep(y.address, at, shape.dtype))
