"""The loops of a convolution of bytes around micro-kernels on matrix registers.

What the taps of a tile's pixels read is gathered first, a row a pixel, and used for all panels of channels.
Must not know threads.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.walk import Block
from sardonyx.kernels.share import evenly, round_up
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.matrix import ACROSS, SPARE_BYTES, MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.kernels.tiles.rest import Rest
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_LANES = 16
_ENTRIES = 4
"""Blocks of channels that fill a row of a register."""

_LEAST_PIXELS, _LEAST_SUM = 7, 36


class MatrixBlock(Block):
    """Writes the function; the registers are to be configured."""

    def __init__(self, module: Module, goal: Goal, tile: MatrixTile) -> None:
        self.matrix, self.prefix = MatrixShape(tile), f"{tile.name}_"
        super().__init__(module, replace(TileShape.of(goal, tile.operand), max_rows=self.matrix.rows))

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        self.gather = define_gather(module, "gather_u8s8", _LANES)

    def _choose_blocks(self) -> None:
        """As many tiles as fit into L2 beside two panels; the taps are not cut."""
        f, shape = self.f, self.shape
        self.entries_per_cut = f.smax(self.entries, int_(1))
        self.is_cut = int_(0, "i1")
        self.pitch = pitch(f, self.steps)
        blocks = f.binary("udiv", self.word[Conv.CHANNELS_IN], int_(shape.block))
        self.whole = f.mul(blocks, self.inner)
        panels = f.mul(self.steps, int_(2 * shape.panel_row_bytes))
        room = f.sub(f.binary("lshr", self.word[Conv.L2_BYTES], int_(1)), panels)
        tile_bytes = f.mul(self.pitch, int_(shape.max_rows))
        fitting = f.smax(f.binary("sdiv", room, tile_bytes), int_(1))
        tiles = f.sub(self.s1, self.s0)
        self.tiles_per_block = evenly(f, tiles, fitting)

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        f, shape = self.f, self.shape
        spare = f.gep(self.sums, int_((STRIP_TILES + 1) * shape.tile_bytes), "i8")
        b = f.gep(spare, int_(SPARE_BYTES), "i8")
        self.gathered = f.gep(b, int_(ACROSS * self.matrix.register_bytes), "i8")
        words: dict[int, V] = {MatrixWords.A_ROW: self.pitch}
        words |= {MatrixWords.TILE_ROW: int_(shape.panel_row_bytes)}
        self.descriptor = RegisterDescriptor.of(f, self.matrix, words, spare)
        self.rest = Rest.of(f, self.matrix, self.steps, b, words, spare)
        self.may_be_direct = int_(0, "i1")

    def _begin_block(self) -> None:
        """Gather what the tiles of the block read."""
        f, cut = self.f, self.tiles.pixels
        with f.loop(self.low, self.high, 1, [self.gathered]) as tile:
            line = f.mul(f.binary("udiv", tile.index, cut.parts), self.tiles.lines)
            index = f.binary("urem", tile.index, cut.parts)
            lines = f.smin(f.sub(self.word[Conv.LINES], line), self.tiles.lines)
            at = f.add(f.mul(line, self.line), f.mul(cut.begin(f, index), self.row))
            with f.loop(int_(0), lines, 1, [f.gep(self.x, at, "i8"), tile.carried[0]]) as each:
                source, to = each.carried
                pixels = cut.size(f, index)
                table = self.table, self.entries, self.whole
                f.call(self.gather, "void", to, source, *table, pixels, self.row, self.pitch)
                each.next(f.gep(source, self.line, "i8"), f.gep(to, f.mul(pixels, self.pitch), "i8"))
            tile.next(f.gep(tile.carried[0], f.mul(self.pitch, int_(self.shape.max_rows)), "i8"))

    def _choose_kernels(self, narrow: V) -> None:
        self.by_rows = [self.f.select(narrow, *pair) for pair in self.kernels]
        self.descriptor.set_panel(narrow, self.matrix.planes)

    def _ahead(self, width: V, run: Run, rest: Run) -> Ahead:
        f = self.f
        self.rest.copy(f, run.begin, width)
        is_full = f.icmp("sge", rest.size_bytes, run.size_bytes)
        return self.descriptor.ahead(rest.begin, is_full, f.sub(self.high, self.low), self.rest.registers)

    def _tile(self, number: V, line: V, index: V, b: V, ahead: V, tile: V) -> V:
        f, cut = self.f, self.tiles.pixels
        lines = f.smin(f.sub(self.word[Conv.LINES], line), self.tiles.lines)
        rows = f.mul(cut.size(f, index), lines)
        kernel = f.select(f.icmp("sle", rows, int_(self.matrix.tile.rows)), *self.by_rows)
        before = f.sub(number, self.low)
        a = f.gep(self.gathered, f.mul(before, f.mul(self.pitch, int_(self.shape.max_rows))), "i8")
        self.descriptor.point({MatrixWords.AHEAD: ahead})
        self.descriptor.sum(kernel, a, b, self.rest.registers, tile)
        self.rest.add(f, kernel, a, tile, int_(self.shape.panel_row_bytes))
        return rows


def pitch(f: Function, steps: V) -> V:
    """Bytes between gathered rows: whole registers, and a line so that rows begin in other sets of L1."""
    return f.add(round_up(f, f.mul(steps, int_(4)), CACHE_LINE), int_(CACHE_LINE))


def gathered_bytes(anchor: Value, tile: MatrixTile, goal: Goal) -> int:
    """Bytes of scratch for what a block of tiles reads."""
    shape, (_, per, *taps) = MatrixShape(tile), anchor.args[1].shape
    row = -(-int(per) // 4) * 4 * int(np.prod(taps)) + 2 * CACHE_LINE  # type: ignore[arg-type]
    return max(shape.rows * row, goal.target.l2_bytes // 2)


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a convolution; None if vectors do.

    Few pixels, or few channels, leave most of it idle: so does half of a tile of outputs.
    """
    x, w = anchor.args[:2]
    tile = goal.find_matrix("i8") if x.dtype is dt.U8 else None
    if tile is None or anchor.prim != "conv_blocked" or anchor.attrs["group"] != 1:
        return None
    outputs, per, *taps = w.shape
    pixels = dims.product(anchor.shape[2:4])
    few = isinstance(pixels, int) and pixels < _LEAST_PIXELS
    narrow = int(outputs) <= tile.rows or int(per) * int(np.prod(taps)) < _LEAST_SUM  # type: ignore[arg-type]
    return None if few or narrow else tile


def define_gather(module: Module, name: str, block: int) -> str:
    """Add `void @name(to, from, table, i64 entries, i64 whole, i64 pixels, i64 step, i64 pitch)`.

    The channels of all entries of a tap table for pixels `step` bytes apart, side by side in rows that are
    `pitch` bytes apart. The first `whole` entries have as many channels as a block; four of them fill a
    register, of four blocks. Any other is read and written as a block. Returns the name.
    """
    lanes = vector_of("i8", block)
    if module.has(name):
        return name
    params = [*((n, "ptr") for n in ("to", "from", "table"))]
    params += [(n, "i64") for n in ("entries", "whole", "pixels", "step", "pitch")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, table, entries, whole, pixels, step, pitch_ = f.params
    fours = f.binary("and", whole, int_(-_ENTRIES))

    def gathered(first: V, count: int, into: V) -> None:
        words = [
            f.gep(table, f.mul(f.add(first, int_(n)), int_(scratch.ENTRY_WORDS)), "i64") for n in range(count)
        ]
        sources = [f.gep(source, f.load(at, "i64"), "i8") for at in words]
        with f.loop(int_(0), pixels, 1, [int_(0), into]) as pixel:
            far, at = pixel.carried
            blocks = [f.load(f.gep(at_block, far, "i8"), lanes, 1) for at_block in sources]
            f.store(_joined(f, blocks), at, 1)
            pixel.next(f.add(far, step), f.gep(at, pitch_, "i8"))

    with f.loop(int_(0), fours, _ENTRIES, [to]) as group:
        gathered(group.index, _ENTRIES, group.carried[0])
        group.next(f.gep(group.carried[0], int_(_ENTRIES * block), "i8"))
    with f.loop(fours, entries, 1, group.carried) as entry:
        gathered(entry.index, 1, entry.carried[0])
        count = f.load(
            f.gep(table, f.add(f.mul(entry.index, int_(scratch.ENTRY_WORDS)), int_(1)), "i64"), "i64"
        )
        entry.next(f.gep(entry.carried[0], f.mul(count, int_(4)), "i8"))
    f.ret()
    f.finish()
    return name


def _joined(f: Function, blocks: list[V]) -> V:
    """Blocks of channels side by side."""
    while len(blocks) > 1:
        lanes = 2 * blocks[0].lanes
        blocks = [f.shuffle(a, b, range(lanes)) for a, b in zip(blocks[::2], blocks[1::2], strict=True)]
    return blocks[0]
