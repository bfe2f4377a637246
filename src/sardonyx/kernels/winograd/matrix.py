"""The loops of one convolution by transforms around micro-kernels on matrix registers.

The points of a tile are floats while they are in L1, and are cut into digits there: what stays in L2 is a
quarter shorter, and so are the weights, which decide how long products take where they do not. Must not know
threads.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.digits.dense import DenseWords, dense_kernels
from sardonyx.kernels.digits.kernel import OF_A, OF_SUMS, PRODUCTS, SUM_BYTES
from sardonyx.kernels.digits.numbers import SCALE_BYTES
from sardonyx.kernels.share import ceil_div, evenly, new_words
from sardonyx.kernels.tiles.ahead import Run
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.cut import CutWords, define_cut_points, scale_bytes
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
        self.matrix, self.scheme = MatrixShape(scheme.tile), scheme
        super().__init__(module, shape, scheme)

    def _define_kernels(self, module: Module) -> None:
        self.kernels, self.joins = dense_kernels(module, self.matrix)
        self.cuts = [
            V(f"@{define_cut_points(module, self.matrix, self.scheme, by_powers=by_powers)}", "ptr")
            for by_powers in (True, False)
        ]

    def _load_words(self) -> None:
        super()._load_words()
        f, tiles = self.f, self.word[Winograd.TILES]
        self.floats = self.inputs
        self.inputs = f.gep(self.floats, f.mul(self.point, int_(self.points)), "i8")
        self.floats_apart = self.point
        self.point = f.binary("or", f.mul(tiles, self.row), int_(CACHE_LINE))
        self.group_bytes = f.mul(self.register_steps, int_(self.matrix.planes * self.matrix.register_bytes))
        self.scales = f.gep(self.inputs, f.mul(self.point, int_(self.points)), "i8")
        with_rest = f.add(tiles, int_(self.matrix.tile.rows))
        self.spare = f.gep(self.scales, f.mul(with_rest, int_(scale_bytes(self.points))), "i8")
        self.products = f.gep(self.spare, int_(SUM_BYTES), "i8")

    def _count_steps(self, channels: V) -> V:
        """Words of a column, of which one is its scale."""
        f, shape = self.f, self.matrix
        self.register_steps = ceil_div(f, channels, int_(shape.k_step))
        words = f.mul(self.register_steps, int_(shape.planes * shape.tile.row_bytes // SCALE_BYTES))
        return f.add(words, int_(1))

    def _make_descriptor(self, rows: V) -> None:
        f, tile = self.f, self.matrix.tile
        self.height = evenly(f, rows, int_(tile.rows))
        matrix.configure(f, tile.instruction, dict.fromkeys((*OF_SUMS, *OF_A), self.height))
        words: dict[int, V] = {
            DenseWords.SUMS: f.convert("ptrtoint", self.spare, "i64"),
            DenseWords.TO_ROW: int_(self.tile_bytes),
            DenseWords.SCALE_ROW: int_(scale_bytes(self.points)),
        }
        self.descriptor = new_words(f, words, len(DenseWords))
        cut: dict[int, V] = {
            CutWords.FROM: self.floats_apart,
            CutWords.TO: self.point,
            CutWords.CHANNELS: self.word[Winograd.CHANNELS_IN],
            CutWords.POWERS: self.word[Winograd.POWERS],
        }
        self.cut_points = f.select(f.icmp("ne", self.word[Winograd.POWERS], int_(0)), *self.cuts)
        self.cut_words = new_words(f, cut, len(CutWords))

    def _transform(self, low: V, high: V) -> None:
        """One tile after the other, each cut while it is in L1."""
        f, size = self.f, self.matrix.tile.row_bytes
        with f.loop(low, high, self.height, [self.inputs, self.scales]) as group:
            to, scales = group.carried
            end = f.smin(f.add(group.index, self.height), high)
            with f.loop(group.index, end, 1, [to, scales]) as tile:
                after = f.add(tile.index, int_(1))
                one = self.group, tile.index, after
                f.call(self.input_transform, "void", self.args, self.patch, self.floats, *one)
                f.call_pointer(self.cut_points, *tile.carried, self.floats, self.cut_words)
                tile.next(
                    f.gep(tile.carried[0], int_(size), "i8"),
                    f.gep(tile.carried[1], int_(scale_bytes(self.points)), "i8"),
                )
            group.next(f.gep(to, self.group_bytes, "i8"), tile.carried[1])
        self.rows = f.sub(high, low)

    def _products(self, low: V, high: V) -> None:
        """All points of panels low..high; the sums of a tile are joined while the next one is multiplied."""
        f = self.f
        for word, at in (
            (DenseWords.TO, self.products),
            (DenseWords.SCALES, self.scales),
            (DenseWords.COLUMN_SCALES, self._weights(int_(0), low).begin),
        ):
            self._set(word, at)
        super()._products(low, high)
        f.call_pointer(
            f.select(self._is_narrow(self._weights(int_(0), f.sub(high, int_(1)))), *self.joins),
            self.descriptor,
        )

    def _set(self, word: DenseWords, pointer: V) -> None:
        self.f.store(pointer, self.f.gep(self.descriptor, int_(word), "i64"), 8)

    def _is_narrow(self, run: Run) -> V:
        """Whether a panel is one register wide."""
        f = self.f
        width = f.binary("udiv", run.size_bytes, self.step_bytes)
        return f.icmp("sle", width, int_(self.matrix.tile.rows))

    def _begin_point(self, point: V, a: V) -> V:
        f = self.f
        self.point_scales = f.gep(self.scales, point, "float")
        ends = f.icmp("eq", point, int_(self.points - 1))
        self.next_a = f.select(ends, self.inputs, f.gep(a, self.point, "i8"))
        return a

    def _panel(self, run: Run, following: Run, a: V, into: V) -> None:
        f = self.f
        parts = ceil_div(f, self.rows, self.height)
        kernel = f.select(self._is_narrow(run), *self.kernels)
        width = f.binary("udiv", run.size_bytes, self.step_bytes)
        b = f.gep(run.begin, f.mul(width, int_(SCALE_BYTES)), "i8")
        follows = f.icmp("ne", following.size_bytes, int_(0))
        lines = f.binary("udiv", following.size_bytes, int_(CACHE_LINE))
        asks = f.mul(self.register_steps, int_(len(PRODUCTS)))
        each = ceil_div(f, lines, f.mul(asks, parts))
        per_tile = f.mul(f.mul(each, asks), int_(CACHE_LINE))
        last = f.gep(following.end(f), int_(-CACHE_LINE), "i8")
        self._set(DenseWords.LINES, each)
        self._set(DenseWords.AHEAD_LAST, f.select(follows, last, run.begin))
        with f.loop(int_(0), self.rows, self.height, [a, self.point_scales, into, following.begin]) as part:
            row, scale, to, ahead = part.carried
            later = f.gep(row, self.group_bytes, "i8")
            goes_on = f.icmp("slt", f.add(part.index, self.height), self.rows)
            self._set(DenseWords.NEXT_A, f.select(goes_on, later, self.next_a))
            self._set(DenseWords.AHEAD, ahead)
            f.call_pointer(kernel, row, b, self.register_steps, self.descriptor)
            self._set(DenseWords.TO, to)
            self._set(DenseWords.SCALES, scale)
            self._set(DenseWords.COLUMN_SCALES, run.begin)
            part.next(
                later,
                f.gep(scale, f.mul(self.height, int_(scale_bytes(self.points))), "i8"),
                f.gep(to, f.mul(self.height, int_(self.tile_bytes)), "i8"),
                f.gep(ahead, per_tile, "i8"),
            )

    def _end(self) -> None:
        matrix.release(self.f, self.matrix.tile.instruction)
