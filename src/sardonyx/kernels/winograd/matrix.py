"""The loops of one convolution by transforms around micro-kernels on matrix registers.

A strip is what one tile of registers holds. Points and weights are floats in the cache, as for vectors, and
are cut into the numbers of registers when they are multiplied: these would be half as long again, and what is
read decides how long products take. Must not know threads.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import evenly, new_words, round_up
from sardonyx.kernels.tiles.ahead import Run
from sardonyx.kernels.tiles.cutting import CutWords, cutting_kernels
from sardonyx.kernels.tiles.matrix import OF_A, OF_SUMS, MatrixShape
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.parts import define_cut_rows, define_cut_step
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import cut_step_bytes
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.kernels.winograd.walk import Block
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Module, V, int_


def define_matrix_block(module: Module, shape: TileShape, scheme: Scheme) -> str:
    """Add a function as `define_block` does; returns the name."""
    block = _MatrixBlock(module, shape, scheme)
    block.write()
    return block.f.name


class _MatrixBlock(Block):
    """Writes the function; registers have no more rows than tiles fill."""

    def __init__(self, module: Module, shape: TileShape, scheme: Scheme) -> None:
        assert scheme.tile is not None
        self.matrix = MatrixShape(scheme.tile)
        super().__init__(module, shape, scheme)

    def _define_kernels(self, module: Module) -> None:
        self.kernels = cutting_kernels(module, self.matrix)
        self.cut_rows = define_cut_rows(module, self.matrix)
        self.cut_step = define_cut_step(module, self.matrix)

    def _columns_together(self) -> int:
        return self.matrix.rows

    def _count_steps(self, channels: V) -> V:
        return round_up(self.f, channels, self.matrix.k_step)

    def _make_descriptor(self, rows: V) -> None:
        f, tile = self.f, self.matrix.tile
        self.height = evenly(f, rows, int_(tile.rows))
        matrix.configure(f, tile.instruction, dict.fromkeys((*OF_SUMS, *OF_A), self.height))
        self.register_steps = f.binary("udiv", self.steps, int_(self.matrix.k_step))
        plane = f.mul(self.register_steps, int_(tile.row_bytes))
        pitch = f.binary("or", f.mul(plane, int_(self.matrix.planes)), int_(CACHE_LINE))
        rooms = f.gep(self.products, f.mul(self.word[Winograd.PANELS], self.product_panel), "i8")
        self.rooms = rooms, f.gep(rooms, int_(cut_step_bytes(self.matrix)), "i8")
        self.a_cut = f.gep(rooms, int_(2 * cut_step_bytes(self.matrix)), "i8")
        words: dict[int, V] = {
            CutWords.A_ROW: pitch,
            CutWords.A_LOW: plane,
            CutWords.A_HALF: f.mul(pitch, self.height),
            CutWords.TILE_ROW: int_(self.tile_bytes),
            CutWords.TILE_HALF: f.mul(self.height, int_(self.tile_bytes)),
        }
        self.descriptor = new_words(f, words, len(CutWords))
        self.strides = new_words(f, dict(enumerate((pitch, plane, self.row))), 3)

    def _cut_rows(self, rows: V) -> None:
        self.rows = rows
        self.kernel = self.f.select(self.f.icmp("sle", rows, self.height), *self.kernels)

    def _products(self, low: V, high: V) -> None:
        """All points of panels low..high, of the first of which a step is cut before."""
        f = self.f
        for word, room in zip((CutWords.CURRENT, CutWords.OTHER), self.rooms, strict=True):
            f.store(room, f.gep(self.descriptor, int_(word), "i64"), 8)
        f.call(self.cut_step, "void", self.rooms[0], self._weights(int_(0), low).begin)
        super()._products(low, high)

    def _begin_point(self, a: V) -> V:
        channels = self.word[Winograd.CHANNELS_IN]
        self.f.call(self.cut_rows, "void", self.a_cut, a, self.rows, channels, self.strides)
        return self.a_cut

    def _panel(self, run: Run, following: Run, a: V, into: V) -> None:
        f = self.f
        follows = f.icmp("ne", following.size_bytes, int_(0))
        after = f.select(follows, following.begin, run.begin)
        f.store(after, f.gep(self.descriptor, int_(CutWords.AHEAD), "i64"), 8)
        f.call_pointer(self.kernel, a, run.begin, after, self.register_steps, into, self.descriptor)

    def _end(self) -> None:
        matrix.release(self.f, self.matrix.tile.instruction)
