"""The standard end of a contraction for a tile in memory: bias, residual, limits, store with any strides.

The micro-kernels do the same in registers where a tile can be stored as it is; this file must not know why
it could not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.kernels.arguments import ROUNDED, Conv, Gemm, Winograd
from sardonyx.kernels.share import new_words, set_word
from sardonyx.kernels.tiles.microkernel import Mode, TileWords, added, clamped
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

Words = type[Gemm] | type[Conv] | type[Winograd]
"""The argument words of a call that has an end."""


class FinishWords(IntEnum):
    """The i64 words of the specification; strides in elements, RESIDUAL may be null."""

    PITCH = 0
    TO = 1
    TO_ROW = 2
    TO_LANE = 3
    BIAS = 4
    BIAS_BY_ROW = 5
    LOW = 6
    HIGH = 7
    RESIDUAL = 8
    RESIDUAL_ROW = 9
    RESIDUAL_LANE = 10


@dataclass(frozen=True, slots=True)
class Strided:
    """Where a tile goes to, or its residual comes from: address, and strides in elements."""

    address: V
    row: V
    lane: V


@dataclass(frozen=True, slots=True)
class Tile:
    """Sums in scratch: address, pitch in elements, and size."""

    address: V
    pitch: V
    rows: V
    columns: V


class End:
    """What one call does with finished tiles: its epilogue, its FINISH words, or a plain store.

    What is absent is read as `zeros`, `panels` tiles wide. With `narrow`, an intrinsic as that of matrix
    registers, FINISH may ask to round: `rounds` tells.
    """

    def __init__(
        self, f: Function, shape: TileShape, args: V, words: Words, panels: int = 1, narrow: str = ""
    ) -> None:
        self.f, self.shape = f, shape
        null = V("null", "ptr")
        self._function = V(f"@{define_finish(f.module, shape)}", "ptr")
        self.rounds = int_(0, "i1")
        if narrow:
            self.rounds = f.icmp("eq", f.word(args, words.FINISH), int_(ROUNDED))
            rounded = V(f"@{define_finish(f.module, shape, narrow)}", "ptr")
            self._function = f.select(self.rounds, rounded, self._function)
        self.own_words = f.gep(args, int_(words.EPILOGUE_WORDS), "i64")
        self.epilogue = f.word(args, words.EPILOGUE, "ptr")
        self.unfused = f.icmp("eq", self.epilogue, null)
        self.finishing = f.icmp("ne", f.word(args, words.FINISH), int_(0))
        self.residual = f.select(self.finishing, f.word(args, words.RESIDUAL, "ptr"), null)
        self.has_residual = f.icmp("ne", self.residual, null)
        self.zeros = zeros(f, shape, panels)
        bias = f.select(self.finishing, f.word(args, words.BIAS, "ptr"), null)
        self.has_bias = f.icmp("ne", bias, null)
        self._bias = f.select(self.has_bias, bias, self.zeros)
        limits = (f.word(args, w, shape.dtype) for w in (words.LOW, words.HIGH))
        low, high = (f.select(self.finishing, b, i) for b, i in zip(limits, extremes(shape), strict=True))
        self.limits: dict[int, V] = {TileWords.LOW: low, TileWords.HIGH: high}
        self._spec = new_words(f, {FinishWords.LOW: low, FinishWords.HIGH: high}, len(FinishWords))

    def bias(self, column: V) -> V:
        """The address of the bias of that column; zeros if there is none."""
        f = self.f
        return f.gep(self._bias, f.select(self.has_bias, column, int_(0)), self.shape.dtype)

    def mode(self, unfinished: V) -> V:
        """What becomes of the sums of a tile that goes where it belongs; `unfinished` if only that."""
        f = self.f
        finished = f.select(self.has_residual, int_(Mode.FINISH), int_(Mode.LIMIT))
        return f.select(self.finishing, finished, unfinished)

    def residual_or_zeros(self, address: V) -> V:
        """The address, or that of a row of zeros if the call has no residual."""
        return self.f.select(self.has_residual, address, self.zeros)

    def residual_stride(self, stride: V) -> V:
        """The stride, or 0 if the call has no residual."""
        return self.f.select(self.has_residual, stride, int_(0))

    def pass_on(self, tile: Tile, coords: V, begin: Mapping[int, V], store: Callable[[], None]) -> None:
        """Hand a tile in scratch to the epilogue, told by words of `coords` where it begins, or store it."""
        f = self.f
        fused, stored, done = (f.new_label(hint) for hint in ("fused", "store", "done"))
        f.branch(self.unfused, stored, fused)
        f.start(fused)
        for index, coordinate in begin.items():
            set_word(f, coords, index, coordinate)
        words = self.own_words, coords, tile.rows, tile.columns
        f.call_pointer(self.epilogue, tile.address, tile.pitch, *words)
        f.jump(done)
        f.start(stored)
        store()
        f.jump(done)
        f.start(done)

    def store(self, tile: Tile, to: Strided, residual: Strided, bias: V, *, by_row: V) -> None:
        """Finish and store a tile in scratch; `residual` is ignored if the call has none.

        `bias` has an element for each column, or with `by_row` (i1) for each row.
        """
        f = self.f
        words = {
            FinishWords.PITCH: tile.pitch,
            FinishWords.BIAS_BY_ROW: f.convert("zext", by_row, "i64"),
            FinishWords.TO: to.address,
            FinishWords.TO_ROW: to.row,
            FinishWords.TO_LANE: to.lane,
            FinishWords.BIAS: bias,
            FinishWords.RESIDUAL: f.select(self.has_residual, residual.address, V("null", "ptr")),
            FinishWords.RESIDUAL_ROW: residual.row,
            FinishWords.RESIDUAL_LANE: residual.lane,
        }
        for word, value in words.items():
            set_word(f, self._spec, word, value)
        f.call_pointer(self._function, tile.address, self._spec, tile.rows, tile.columns)


def extremes(shape: TileShape) -> tuple[V, V]:
    """Bounds that hold every sum."""
    if shape.is_float:
        return float_(-float("inf"), shape.dtype), float_(float("inf"), shape.dtype)
    most = (1 << 8 * shape.element - 1) - 1
    return int_(-most - 1, shape.dtype), int_(most, shape.dtype)


def zeros(f: Function, shape: TileShape, panels: int = 1) -> V:
    """A row of zeros on the stack, as wide as so many tiles."""
    address = f.alloca(shape.dtype, panels * shape.columns)
    for i in range(0, panels * shape.columns, shape.lanes):
        f.store(int_(0, shape.vector), f.gep(address, int_(i), shape.dtype))
    return address


def define_finish(module: Module, shape: TileShape, narrow: str = "") -> str:
    """Add `void @finish_*(ptr tile, ptr spec, i64 rows, i64 columns)`; returns the name.

    TO[r, c] = min(max(tile[r][c] + bias + RESIDUAL[r, c], LOW), HIGH), bias = BIAS[c] or with BIAS_BY_ROW
    BIAS[r]. With `narrow` TO holds halves, lanes contiguous, and the bias is that of columns.
    """
    name = f"finish_{shape.operand}{'_bf16' if narrow else ''}"
    if module.has(name):
        return name
    params = [("tile", "ptr"), ("spec", "ptr"), ("rows", "i64"), ("columns", "i64")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape, narrow).write()
    return name


class _Writer:
    """Writes the function: vectors where lanes are contiguous, else single elements."""

    def __init__(self, f: Function, shape: TileShape, narrow: str) -> None:
        self.f, self.shape, self.narrow = f, shape, narrow
        self.to_type = "i16" if narrow else shape.dtype
        self.tile, self.spec, self.rows, self.columns = f.params

    def write(self) -> None:
        f, shape = self.f, self.shape
        self.bias, self.residual = (
            f.word(self.spec, w, "ptr") for w in (FinishWords.BIAS, FinishWords.RESIDUAL)
        )
        absent = f.icmp("eq", self.residual, V("null", "ptr"))
        self.zeros = zeros(f, shape)
        self.residual = f.select(absent, self.zeros, self.residual)
        self.residual_row = f.select(absent, int_(0), f.word(self.spec, FinishWords.RESIDUAL_ROW))
        lane = f.word(self.spec, FinishWords.RESIDUAL_LANE)
        self.residual_lane = f.select(absent, int_(0), lane)
        self.to_lane = f.word(self.spec, FinishWords.TO_LANE)
        if self.narrow:
            self._columns()
            f.ret()
            f.finish()
            return
        self.by_row = f.icmp("ne", f.word(self.spec, FinishWords.BIAS_BY_ROW), int_(0))
        scattered = [f.binary("xor", x, int_(1)) for x in (self.to_lane, f.select(absent, int_(1), lane))]
        lanes = f.binary("or", *scattered)
        hints = ("single", "contiguous", "rows", "columns", "done")
        single, contiguous, rows, columns, done = map(f.new_label, hints)
        f.branch(f.icmp("eq", lanes, int_(0)), contiguous, single)
        f.start(contiguous)
        f.branch(self.by_row, rows, columns)
        for label, write in (
            (rows, partial(self._rows, shape.lanes)),
            (columns, self._columns),
            (single, partial(self._rows, 1)),
        ):
            f.start(label)
            write()
            f.jump(done)
        f.start(done)
        f.ret()
        f.finish()

    def _columns(self) -> None:
        """All rows, one vector of columns after the other, whose bias stays in a register."""
        f, shape = self.f, self.shape
        self.limits = self._limits(shape.lanes)
        whole = f.binary("and", self.columns, int_(-shape.lanes))
        with f.loop(int_(0), whole, shape.lanes) as column:
            bias = f.load(f.gep(self.bias, column.index, shape.dtype), shape.vector)
            self._column(column.index, bias)
        with f.when(f.icmp("slt", whole, self.columns)):
            mask = f.tail_mask(f.sub(self.columns, whole), shape.lanes)
            bias = f.masked_load(f.gep(self.bias, whole, shape.dtype), shape.vector, mask)
            self._column(whole, bias, mask)

    def _column(self, column: V, bias: V, mask: V | None = None) -> None:
        """All rows of one vector of columns."""
        f, dtype = self.f, self.shape.dtype
        to, pitch, to_row = (
            f.word(self.spec, FinishWords.TO, "ptr"),
            f.word(self.spec, FinishWords.PITCH),
            f.word(self.spec, FinishWords.TO_ROW),
        )
        other = f.gep(self.residual, f.mul(column, self.residual_lane), dtype)
        begin = [f.gep(self.tile, column, dtype), f.gep(to, column, self.to_type), other]
        with f.loop(int_(0), self.rows, 1, begin) as row:
            tile, into, other = row.carried
            x, z = (
                f.masked_load(p, bias.type, mask) if mask else f.load(p, bias.type) for p in (tile, other)
            )
            self._store(added(f, added(f, x, bias), z), into, mask)
            strides = (pitch, dtype), (to_row, self.to_type), (self.residual_row, dtype)
            row.next(*(f.gep(at, *stride) for at, stride in zip(row.carried, strides, strict=True)))

    def _limits(self, lanes: int) -> list[V]:
        f, dtype = self.f, self.shape.dtype
        return [f.splat(f.word(self.spec, w, dtype), lanes) for w in (FinishWords.LOW, FinishWords.HIGH)]

    def _store(self, value: V, to: V, mask: V | None) -> None:
        """A vector or an element, within the limits."""
        f, value = self.f, clamped(self.f, value, *self.limits)
        if self.narrow:
            both = f.call(self.narrow, vector_of("bfloat", 2 * value.lanes), value, value)
            halves = f.bitcast(both, vector_of("i16", 2 * value.lanes))
            value = f.shuffle(halves, halves, range(value.lanes))
        if mask:
            f.masked_store(value, to, mask)
        else:
            f.store(value, to)

    def _rows(self, lanes: int) -> None:
        """All rows; nothing is read of a bias by row but the element of the row."""
        f, shape = self.f, self.shape
        self.limits = self._limits(lanes)
        to, to_row = f.word(self.spec, FinishWords.TO, "ptr"), f.word(self.spec, FinishWords.TO_ROW)
        pitch, zero = f.word(self.spec, FinishWords.PITCH), int_(0)
        self.across = f.select(self.by_row, self.zeros, self.bias)
        whole = f.binary("and", self.columns, int_(-lanes))
        with f.loop(zero, self.rows, 1, [self.tile, to, self.residual]) as row:
            tile, into, other = row.carried
            own = f.load(f.gep(self.bias, f.select(self.by_row, row.index, zero), shape.dtype), shape.dtype)
            own = f.splat(own, lanes)
            with f.loop(zero, whole, lanes) as column:
                self._finish(row.carried, own, column.index)
            if lanes > 1:
                with f.when(f.icmp("slt", whole, self.columns)):
                    self._finish(row.carried, own, whole, f.tail_mask(f.sub(self.columns, whole), lanes))
            row.next(
                f.gep(tile, pitch, shape.dtype),
                f.gep(into, to_row, shape.dtype),
                f.gep(other, self.residual_row, shape.dtype),
            )

    def _finish(self, row: Sequence[V], own: V, column: V, mask: V | None = None) -> None:
        """A vector or an element of a row of the tile, C and the residual; `own` is its bias if by row."""
        f, dtype, (tile, into, other) = self.f, self.shape.dtype, row
        at = [
            f.gep(tile, column, dtype),
            f.gep(self.across, f.select(self.by_row, int_(0), column), dtype),
            f.gep(other, f.mul(column, self.residual_lane), dtype),
        ]
        x, y, z = (f.masked_load(p, own.type, mask) if mask else f.load(p, own.type) for p in at)
        y = f.select(self.by_row, own, y)
        to = f.gep(into, f.mul(column, self.to_lane), dtype)
        self._store(added(f, added(f, x, y), z), to, mask)
