"""Where the pixels of a convolution lie in its results, and how strips of them get there.

Decides what is transposed on the way; must not know how pixels are summed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.share import ceil_div, new_words
from sardonyx.kernels.tiles.finish import End, Strided, Tile
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, V, int_

_HALF_BYTES = 2
_STRIDES = ("BATCH", "BLOCK", "LINE", "PIXEL", "CHANNEL")


@dataclass(frozen=True, slots=True)
class Channels:
    """Channels side by side: the first, and how many."""

    first: V
    count: V


class Outputs:
    """Y and the residual of one sample, in the function being written.

    `copy` is a function of `define_copy`, `turned` room for a transposed strip, `narrow` that of `End`.
    """

    def __init__(
        self,
        f: Function,
        shape: TileShape,
        args: V,
        word: Mapping[Conv, V],
        sample: V,
        copy: str,
        turned: V,
        narrow: str = "",
    ) -> None:
        self.f, self.shape, self.word, self.sample = f, shape, word, sample
        self.copy, self.turned = copy, turned
        self.end = End(f, shape, args, Conv, narrow=narrow)
        self.y = f.word(args, Conv.Y, "ptr")
        self.plain = f.icmp("ne", word[Conv.PLAIN], int_(0))
        self.coords = new_words(f, {0: sample}, 5)
        strides = (scratch.TURNED_PITCH, 1, shape.columns)
        self.turned_strides = new_words(f, dict(enumerate(map(int_, strides))), 3)

    def place(self, operand: str, line: V, pixel: V, channel: V) -> Strided:
        """Where that channel of that pixel lies in Y, or in the residual (R); pixels are rows."""
        f, word = self.f, {name: self.word[Conv[f"{operand}_{name}"]] for name in _STRIDES}
        block = f.binary("lshr", channel, int_(self.shape.block_bits))
        lane = f.binary("and", channel, int_(self.shape.block - 1))
        by_block = f.add(f.mul(block, word["BLOCK"]), lane)
        at = f.select(self.plain, f.mul(channel, word["CHANNEL"]), by_block)
        for index, name in ((self.sample, "BATCH"), (line, "LINE"), (pixel, "PIXEL")):
            at = f.add(at, f.mul(index, word[name]))
        lanes = f.select(self.plain, word["CHANNEL"], int_(1))
        if operand == "R":
            return Strided(f.gep(self.end.residual, at, self.shape.dtype), word["PIXEL"], lanes)
        size = f.select(self.end.rounds, int_(_HALF_BYTES), int_(self.shape.element))
        return Strided(f.gep(self.y, f.mul(at, size), "i8"), word["PIXEL"], lanes)

    def pass_on(self, sums: V, channels: Channels, line: V, pixel: V, pixels: V) -> None:
        """Give `pixels` pixels of a line to their end: whole for plain output, else block by block."""
        f, shape = self.f, self.shape
        plain, blocked, done = (f.new_label(hint) for hint in ("plain", "blocked", "done"))
        first, end = channels.first, f.add(channels.first, channels.count)
        whole = Tile(sums, int_(shape.columns), pixels, channels.count)
        f.branch(self.plain, plain, blocked)
        f.start(plain)
        self._pass_on_channels(whole, first, line, pixel)
        f.jump(done)
        f.start(blocked)
        blocks = f.binary("lshr", first, int_(shape.block_bits)), ceil_div(f, end, int_(shape.block))
        with f.loop(*blocks) as block:
            origin = f.mul(block.index, int_(shape.block))
            begin, stop = f.smax(first, origin), f.smin(end, f.add(origin, int_(shape.block)))
            at = f.gep(sums, f.sub(begin, first), shape.dtype)
            part = replace(whole, address=at, columns=f.sub(stop, begin))
            places = [self.place(o, line, pixel, begin) for o in "YR"]
            coords = [block.index, line, pixel, f.sub(begin, origin)]
            self._end(part, coords, places, begin, by_row=int_(0, "i1"))
        f.jump(done)
        f.start(done)

    def _pass_on_channels(self, tile: Tile, channel: V, line: V, pixel: V) -> None:
        """Plain output: transposed if the epilogue wants it so, or if a store runs along pixels."""
        f = self.f
        wanted = f.icmp("eq", self.word[Conv.PLAIN], int_(2))
        along = f.icmp("ne", self.word[Conv.Y_CHANNEL], int_(1))
        turn = f.select(self.end.unfused, along, wanted)
        with f.when(turn):
            rows, columns = tile.columns, tile.rows
            f.call(self.copy, "void", self.turned, tile.address, rows, columns, self.turned_strides)
        tile = Tile(
            f.select(turn, self.turned, tile.address),
            f.select(turn, int_(scratch.TURNED_PITCH), tile.pitch),
            f.select(turn, tile.columns, tile.rows),
            f.select(turn, tile.rows, tile.columns),
        )
        places = [self.place(o, line, pixel, channel) for o in "YR"]
        places = [
            Strided(p.address, f.select(turn, p.lane, p.row), f.select(turn, p.row, p.lane)) for p in places
        ]
        coords = [line, f.select(turn, channel, pixel), f.select(turn, pixel, channel)]
        self._end(tile, coords, places, channel, by_row=turn)

    def _end(self, tile: Tile, coords: list[V], places: list[Strided], channel: V, *, by_row: V) -> None:
        y, residual = places

        def store() -> None:
            self.end.store(tile, y, residual, self.end.bias(channel), by_row=by_row)

        self.end.pass_on(tile, self.coords, dict(enumerate(coords, 1)), store)
