"""The loops of one convolution by transforms: strips of tiles, points, panels of channels, tiles of rows.

Decides the order of work and what is kept where; must not know threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.scratch import ENTRY_WORDS
from sardonyx.kernels.share import Cut, ceil_div, new_words, round_up, set_words
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.descriptor import second_half
from sardonyx.kernels.tiles.microkernel import Mode, TileWords
from sardonyx.kernels.tiles.pick import define_pick, picked
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import patch_bytes, product_tile_bytes
from sardonyx.kernels.winograd.input_transform import define_input_transform
from sardonyx.kernels.winograd.output_transform import define_output_transform
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.llvm.vec import Function, Module, V, int_


def define_block(module: Module, shape: TileShape, scheme: Scheme) -> str:
    """Add `void @winograd_*_block(args, ctx, group, t0, t1, p0, p1)`: tiles t0..t1 of panels p0..p1.

    Tiles count through all samples, line by line, panels through all groups. Both ranges are non-empty, and
    the panels are those of the group. Returns the name.
    """
    block = Block(module, shape, scheme)
    block.write()
    return block.f.name


class Block:
    """Writes the function; attributes are its run-time values, set in the order of the loops."""

    def __init__(self, module: Module, shape: TileShape, scheme: Scheme) -> None:
        self.shape, self.scheme, self.points = shape, scheme, scheme.points
        self._define_kernels(module)
        self.input_transform = define_input_transform(module, shape, scheme)
        self.output_transform = define_output_transform(module, shape, scheme)
        params = [("args", "ptr"), ("ctx", "ptr"), *((n, "i64") for n in ("group", "t0", "t1", "p0", "p1"))]
        name = f"winograd_{scheme.name}_block"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.args, self.ctx, self.group, self.t0, self.t1, self.p0, self.p1 = self.f.params

    def _define_kernels(self, module: Module) -> None:
        self.pick = define_pick(module, self.shape)

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        together = self.word[Winograd.PANELS]
        tiles = f.sub(self.t1, self.t0)
        strips = Cut.of(f, tiles, ceil_div(f, tiles, self.word[Winograd.TILES]))
        self._make_descriptor(strips.largest(f))
        with f.loop(int_(0), strips.parts) as strip:
            low = f.add(self.t0, strips.begin(f, strip.index))
            high = f.add(low, strips.size(f, strip.index))
            self._transform(low, high)
            with f.loop(self.p0, self.p1, together) as group:
                end = f.smin(f.add(group.index, together), self.p1)
                self._products(group.index, end)
                words = self.args, self.patch, self.products, low, high, group.index, end
                f.call(self.output_transform, "void", *words)
        self._end()
        f.ret()
        f.finish()

    def _transform(self, low: V, high: V) -> None:
        """The input of a strip, and how its rows are cut for kernels."""
        f = self.f
        f.call(self.input_transform, "void", self.args, self.patch, self.inputs, self.group, low, high)
        rows = f.sub(high, low)
        cut = self.cut = Cut.of(f, rows, ceil_div(f, rows, int_(self.shape.max_rows)))
        pick, sizes, few = V(f"@{self.pick}", "ptr"), (cut.largest(f), cut.base), int_(0, "i1")
        self.picks = [picked(f, pick, sizes, int_(narrow, "i1"), few) for narrow in (1, 0)]
        own = f.word(self.args, Winograd.BESIDE, "ptr")
        pick = f.select(f.icmp("ne", self.word[Winograd.UNREAD_BYTES], int_(0)), own, pick)
        self.picks_beside = picked(f, pick, sizes, int_(1, "i1"), few)

    def _end(self) -> None:
        """What is left to do when all tiles are done."""

    def _load_words(self) -> None:
        f, shape = self.f, self.shape
        self.word = {w: f.word(self.args, w) for w in Winograd if w > Winograd.EPILOGUE}
        self.w = f.word(self.args, Winograd.W, "ptr")
        self.patch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.inputs = f.gep(self.patch, int_(patch_bytes(self.shape, self.scheme)), "i8")
        self.row, self.point = (self.word[w] for w in (Winograd.TILE_PITCH, Winograd.POINT_PITCH))
        self.products = f.gep(self.inputs, f.mul(self.word[Winograd.TILES], self.row), "i8")
        self.tile_bytes = product_tile_bytes(self.points, shape)
        self.product_panel = f.mul(self.word[Winograd.TILES], int_(self.tile_bytes))
        channels = self.word[Winograd.CHANNELS]
        self.padded = round_up(f, channels, shape.block)
        self.steps = self._count_steps(self.word[Winograd.CHANNELS_IN])
        self.step_bytes = f.mul(self.steps, int_(shape.element))

    def _count_steps(self, channels: V) -> V:
        """Steps of a sum in packed weights, of a number a column."""
        return ceil_div(self.f, channels, int_(self.shape.depth))

    def _make_descriptor(self, rows: V) -> None:
        """For strips of at most so many tiles."""
        del rows
        f, shape = self.f, self.shape
        words: dict[int, V] = {
            TileWords.TABLE: new_words(f, {1: self.steps}, ENTRY_WORDS),
            TileWords.ENTRIES: int_(1),
            TileWords.ROW: self.row,
            TileWords.TILE_ROW: int_(self.tile_bytes),
            TileWords.TILE_VECTOR: int_(shape.panel_row_bytes // shape.vectors),
            TileWords.MODE: int_(Mode.STORE),
        }
        self.descriptor = new_words(f, words, len(TileWords))

    def _products(self, low: V, high: V) -> None:
        """All points of panels low..high."""
        f, shape = self.f, self.shape
        with f.loop(int_(0), int_(self.points)) as point:
            a = self._begin_point(point.index, f.gep(self.inputs, f.mul(point.index, self.point), "i8"))
            into = f.gep(self.products, f.mul(point.index, int_(shape.panel_row_bytes)), "i8")
            with f.loop(low, high, 1, [into]) as panel:
                run = self._weights(point.index, panel.index)
                self._panel(run, self._following(point.index, panel.index, low, high), a, panel.carried[0])
                panel.next(f.gep(panel.carried[0], self.product_panel, "i8"))

    def _begin_point(self, point: V, a: V) -> V:
        """What kernels read of a point of all tiles, which begins there."""
        del point
        return a

    def _weights(self, point: V, panel: V) -> Run:
        """The weights of one panel of a point, of whole vectors but for one with steps side by side."""
        f, shape = self.f, self.shape
        column = f.mul(panel, int_(shape.columns))
        width = f.smin(f.sub(self.padded, column), int_(shape.columns))
        at = f.add(f.mul(point, self.padded), column)
        is_last = f.icmp("sle", self.padded, f.add(column, int_(shape.columns)))
        unread = f.select(is_last, self.word[Winograd.UNREAD_BYTES], int_(0))
        size = f.sub(f.mul(width, self.step_bytes), unread)
        return Run(f.gep(self.w, f.mul(at, self.step_bytes), "i8"), size)

    def _following(self, point: V, panel: V, low: V, high: V) -> Run:
        """The weights that are read after those: of the next panel, else of the next point's first."""
        f = self.f
        after = f.add(panel, int_(1))
        wraps = f.icmp("eq", after, high)
        next_point = f.add(point, f.convert("zext", wraps, "i64"))
        run = self._weights(next_point, f.select(wraps, low, after))
        ends = f.icmp("eq", next_point, int_(self.points))
        return Run(run.begin, f.select(ends, int_(0), run.size_bytes))

    def _panel(self, run: Run, following: Run, a: V, into: V) -> None:
        """All rows of one panel of one point."""
        f, shape, few = self.f, self.shape, int_(0, "i1")
        vector_bytes = f.mul(self.step_bytes, int_(shape.lanes))
        beside_bytes = f.binary("urem", run.size_bytes, vector_bytes)
        whole = Run(run.begin, f.sub(run.size_bytes, beside_bytes))
        width = f.binary("udiv", whole.size_bytes, self.step_bytes)
        with f.when(f.icmp("ne", width, int_(0))):
            ahead = Ahead.of(f, shape, self.cut.parts, few, width, whole, following)
            narrow = f.icmp("sle", width, int_(shape.lanes))
            picks = [f.select(narrow, *both) for both in zip(*self.picks, strict=True)]
            self._rows(picks, whole.begin, a, into, ahead)
        with f.when(f.icmp("ne", beside_bytes, int_(0))):
            self._rows(self.picks_beside, whole.end(f), a, f.gep(into, width, shape.dtype), Ahead.nothing())

    def _rows(self, picks: Sequence[V], b: V, a: V, into: V, ahead: Ahead) -> None:
        """All rows of some columns, by the micro-kernels for the larger and for the smaller tiles."""
        f, cut = self.f, self.cut
        set_words(f, self.descriptor, ahead.words)
        with f.loop(int_(0), cut.parts, 1, [a, into, ahead.address]) as tile:
            row, to, later = tile.carried
            count = cut.size(f, tile.index)
            kernel = f.select(f.icmp("slt", tile.index, cut.extra), *picks)
            half = second_half(f, count, self.row)
            f.call_pointer(kernel, row, b, to, half, self.descriptor, later)
            tile.next(
                f.gep(row, f.mul(count, self.row), "i8"),
                f.gep(to, f.mul(count, int_(self.tile_bytes)), "i8"),
                f.gep(later, ahead.per_tile, "i8"),
            )
