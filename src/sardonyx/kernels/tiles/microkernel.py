"""Batch-reduce GEMM micro-kernels: one register tile of rows x vectors, summed over table entries.

Decides registers, unrolling and addressing of the innermost loops; must not know matrices, samples,
threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.kernels.scratch import ENTRY_WORDS
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.tiles.short import widened
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_REACHED = 7
"""Rows from one base."""

UNROLL = 4
"""k steps of one turn of the inner loop."""

_STEPS_SIDE_BY_SIDE = 2
"""k steps of each stream in one turn."""

CACHE_LINE = 64


class Mode(IntEnum):
    """What becomes of the sums of a tile."""

    STORE = 0
    ADD = 1
    FINISH = 2
    LIMIT = 3
    GATE = 4
    LEAK = 5


class TileWords(IntEnum):
    """The i64 words of the descriptor that the tiles of one call share; strides and distances are in bytes.

    Row r of a matrix with stride S and word HALF is at r * S, or at HALF + (r - half) * S from row `half` of
    the kernel on; HALF = 0 stands for half * S. Vector j is at j * VECTOR. FAR tells that A is not in L2.
    """

    TABLE = 0
    ENTRIES = 1
    ROW = 2
    AHEAD_STEP = 3
    AHEAD_LAST = 4
    MODE = 5
    TILE_ROW = 6
    TILE_HALF = 7
    TILE_VECTOR = 8
    BIAS = 9
    LOW = 10
    HIGH = 11
    RESIDUAL = 12
    RESIDUAL_ROW = 13
    RESIDUAL_HALF = 14
    RESIDUAL_VECTOR = 15
    OTHER = 16
    KEPT = 17
    FAR = 18
    SLOPE = 19
    SHIFT = 20
    SCALE = 21
    OFFSET = 22
    SLOPES = 23


@dataclass(frozen=True, slots=True)
class MicroKernel:
    """A register tile.

    `rows` rows by `vectors` vectors of a shape; k is split over `phases` independent sums, which hides the
    latency of tiles with few rows. More than one of `streams`, stretches of k, are read side by side. A
    kernel that `differs` multiplies with b less what lies OTHER bytes from it, and keeps that KEPT bytes from
    it.
    """

    shape: TileShape
    rows: int
    vectors: int
    phases: int = 1
    streams: int = 1
    differs: bool = False

    @property
    def name(self) -> str:
        """The symbol of the function."""
        phases = f"p{self.phases}" if self.phases > 1 else ""
        streams = f"s{self.streams}" if self.streams > 1 else ""
        kind = "strassen" if self.differs else "brgemm"
        return f"{kind}_{self.shape.name}_{self.rows}x{self.vectors}{phases}{streams}"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """What may become of its sums: convolutions of floats alone ask for a gate or a leak."""
        if self.differs:
            return Mode.STORE, Mode.ADD
        convolves = self.shape.operand == "f32" and not self.shape.short
        return tuple(mode for mode in Mode if convolves or mode < Mode.GATE)

    @property
    def is_tall(self) -> bool:
        """Whether it has more rows than tiles of all vectors."""
        return self.rows > self.shape.max_rows

    @property
    def half(self) -> int:
        """The first row of the second half of the tile, which has its own base address."""
        return (self.rows + 1) // 2


def define(module: Module, kernel: MicroKernel) -> str:
    """Add `void @name(ptr a, ptr b, ptr tile, i64 half, ptr descriptor, ptr ahead)` once; returns the name.

    sum[r][c] = over entries e and steps k of a[offset_e + row(r) + k] * b[step, c]: row(r) is r * ROW below
    `kernel.half` and half + (r - kernel.half) * ROW from there on; steps count on through all entries; b
    holds `vectors` full vectors per step, at any address, or short numbers that `widened` may read. A step of
    `depth` elements sums their products.
    MODE says whether tile = sum, tile += sum, or tile = min(max(sum + BIAS[c] + RESIDUAL[r][c], LOW), HIGH),
    which propagates NaN, or the same without RESIDUAL; or, of v = sum + BIAS[c],
    v * min(max(v * SLOPE + SHIFT, LOW), HIGH) * SCALE + OFFSET, or v, below 0 v * SLOPES[c].
    Each UNROLL steps as many bytes as they read of b are prefetched from `ahead` on, or from AHEAD_LAST if
    that is lower; then `ahead` moves by AHEAD_STEP. Streams prefetch as many bytes as they read, `few_bytes`
    ahead, up to their end, the last of them up to AHEAD_LAST.
    """
    if not module.has(kernel.name):
        writer = Writer(module, kernel)
        writer.f.finish_later(writer.write)
    return kernel.name


def hidden(f: Function, value: V) -> V:
    """The same value, opaque to LLVM.

    Loop strength reduction otherwise gives every row its own pointer, more than there are registers.
    """
    return f.value(value.type, f'call {value.type} asm "", "=r,0"({value})')


def multiples(f: Function, stride: V) -> list[V]:
    """0 to 6 times a stride, as addresses are made of three registers."""
    one, three, five = (hidden(f, f.mul(stride, int_(n))) for n in (1, 3, 5))
    two, four, six = f.mul(one, int_(2)), f.mul(one, int_(4)), f.mul(three, int_(2))
    return [int_(0), one, two, three, four, five, six]


def prefetch(f: Function, address: V, level: int) -> None:
    """Ask for a cache line that is read soon, into the L1 or L2 cache."""
    locality = {1: 3, 2: 2}[level]
    f.call("llvm.prefetch.p0", "void", address, int_(0, "i32"), int_(locality, "i32"), int_(1, "i32"))


def added(f: Function, a: V, b: V) -> V:
    """a + b of floats, or of integers that wrap around."""
    return f.binary("add" if a.scalar.startswith("i") else "fadd", a, b)


def clamped(f: Function, value: V, low: V, high: V) -> V:
    """min(max(value, low), high); NaN stays NaN."""
    if value.scalar.startswith("i"):
        return f.smin(f.smax(value, low), high)
    value = f.select(f.fcmp("ogt", low, value), low, value)
    return f.select(f.fcmp("olt", high, value), high, value)


def leaked(f: Function, value: V, slope: V) -> V:
    """The value, times a slope where it is below 0; NaN stays NaN."""
    return f.select(f.fcmp("olt", value, float_(0.0, value.type)), f.binary("fmul", value, slope), value)


class Writer:
    """Writes one micro-kernel.

    Rows are addressed as base + {0, 1, 2, 4} * stride, or with 3 or 5 strides in a register, from two bases:
    five registers reach 14 rows without a load or an addition, two bases more twice as many. Tall kernels ask
    for no weights ahead, which are few.
    """

    def __init__(self, module: Module, kernel: MicroKernel) -> None:
        types = {"a": "ptr", "b": "ptr", "tile": "ptr", "half": "i64", "descriptor": "ptr", "ahead": "ptr"}
        params = list(types.items())
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.kernel, self.shape = kernel, kernel.shape
        self.type, self.element = kernel.shape.vector, kernel.shape.element
        self.vector_bytes = kernel.shape.lanes * self.element
        self.column_bytes = kernel.shape.lanes * kernel.shape.packed_bytes
        self.step_bytes = kernel.vectors * self.column_bytes

    def write(self) -> None:
        """Write all of it."""
        f, kernel = self.f, self.kernel
        a, b, tile, half, descriptor, ahead = f.params
        table, entries = f.word(descriptor, TileWords.TABLE, "ptr"), f.word(descriptor, TileWords.ENTRIES)
        self.half = hidden(f, half)
        if kernel.differs:
            self.other, self.kept = (
                hidden(f, f.word(descriptor, w)) for w in (TileWords.OTHER, TileWords.KEPT)
            )
        self.ahead_step = hidden(f, f.word(descriptor, TileWords.AHEAD_STEP))
        self.ahead_last = hidden(f, f.word(descriptor, TileWords.AHEAD_LAST, "ptr"))
        row = f.word(descriptor, TileWords.ROW)
        self.offsets = multiples(f, row)
        if kernel.half > _REACHED:
            self.reached = hidden(f, f.mul(row, int_(_REACHED)))
        sums = [int_(0, self.type)] * (kernel.rows * kernel.vectors * kernel.phases)
        with f.loop(int_(0), entries, 1, [b, ahead, *sums]) as entry:
            b, ahead, *sums = entry.carried
            words = f.gep(table, f.mul(entry.index, int_(ENTRY_WORDS)), "i64")
            a_entry = f.gep(a, f.load(words, "i64"), "i8")
            steps = f.word(words, 1)
            b = f.gep(b, f.mul(f.word(words, 2), int_(self.step_bytes)), "i8")
            self._prefetch_rows(a, table, entry.index, entries, descriptor)
            b, ahead, sums = self._entry(steps, a_entry, b, ahead, sums)
            entry.next(b, ahead, *sums)
        self._store(tile, descriptor, self._joined(entry.carried[2:]))
        f.ret()
        f.finish()

    def _entry(self, steps: V, a: V, b: V, ahead: V, sums: Sequence[V]) -> tuple[V, V, list[V]]:
        """Add the steps of one entry; returns where the next one has B, what is asked for, and the sums."""
        f = self.f
        if self.kernel.streams > 1:
            a, b, steps, sums = self._streams(steps, a, b, sums)
        unrolled = f.binary("and", steps, int_(-UNROLL))
        a, b, ahead, sums = self._steps(int_(0), unrolled, UNROLL, a, b, ahead, sums)
        _, b, ahead, sums = self._steps(unrolled, steps, 1, a, b, ahead, sums)
        return b, ahead, list(sums)

    def _prefetch_rows(self, a: V, table: V, entry: V, entries: V, descriptor: V) -> None:
        """Ask for the lines in which the rows of the next entry begin, or of the last one."""
        f, prefetched = self.f, self.shape.prefetch
        if prefetched.level and prefetched.rows:
            self._ask_for_rows(a, table, entry, entries)
        elif prefetched.level and prefetched.far_rows:
            with f.when(f.icmp("ne", f.word(descriptor, TileWords.FAR), int_(0))):
                self._ask_for_rows(a, table, entry, entries)

    def _ask_for_rows(self, a: V, table: V, entry: V, entries: V) -> None:
        f = self.f
        following = f.smin(f.add(entry, int_(1)), f.sub(entries, int_(1)))
        words = f.gep(table, f.mul(following, int_(ENTRY_WORDS)), "i64")
        bases = self._bases(f.gep(a, f.load(words, "i64"), "i8"))
        for row in range(self.kernel.rows):
            prefetch(f, self._row(bases, row), self.shape.prefetch.level)

    def _bases(self, a: V) -> list[V]:
        """The addresses of both halves of rows that begin at `a`, then of what is left of each, if any."""
        f = self.f
        first = hidden(f, a)
        second = hidden(f, f.gep(first, self.half, "i8")) if self.kernel.rows > 1 else first
        bases = [first, second]
        if self.kernel.half > _REACHED:
            bases += [hidden(f, f.gep(base, self.reached, "i8")) for base in bases]
        return bases

    def _row(self, bases: Sequence[V], row: int) -> V:
        second, below = divmod(row, self.kernel.half)
        rest, below = divmod(below, _REACHED)
        return self.f.gep(bases[2 * rest + second], self.offsets[below], "i8")

    def _steps(
        self, low: V, high: V, count: int, a: V, b: V, ahead: V, sums: Sequence[V]
    ) -> tuple[V, V, V, list[V]]:
        f = self.f
        with f.loop(low, high, count, [a, b, ahead, *sums]) as loop:
            a, b, ahead, *sums = loop.carried
            bases = self._bases(a)
            if count > 1:
                self._prefetch(ahead)
            together = min(count, self.shape.instruction.steps)
            for step in range(0, count, together):
                sums = self._step(bases, b, range(step, step + together), sums)
            loop.next(
                f.gep(bases[0], int_(count * self.element), "i8"),
                f.gep(b, int_(count * self.step_bytes), "i8"),
                f.gep(ahead, self.ahead_step, "i8") if count > 1 and not self.kernel.is_tall else ahead,
                *sums,
            )
        a, b, ahead, *sums = loop.carried
        return a, b, ahead, sums

    def _streams(self, steps: V, a: V, b: V, sums: Sequence[V]) -> tuple[V, V, V, list[V]]:
        """Stretches of k that are as long as each other, side by side; what is left of k."""
        f, count = self.f, self.kernel.streams
        length = f.binary("and", f.binary("udiv", steps, int_(count)), int_(-_STEPS_SIDE_BY_SIDE))
        a_bytes, b_bytes = (f.mul(length, int_(size)) for size in (self.element, self.step_bytes))
        starts = [
            f.gep(at, f.mul(size, int_(n)), "i8")
            for at, size in ((a, a_bytes), (b, b_bytes))
            for n in range(count)
        ]
        turn = _STEPS_SIDE_BY_SIDE * self.step_bytes
        last = f.gep(self.ahead_last, int_(UNROLL * self.step_bytes - turn), "i8")
        lasts = [*(f.gep(at, int_(-turn), "i8") for at in starts[count + 1 :]), last]
        with f.loop(int_(0), length, _STEPS_SIDE_BY_SIDE, [*starts, *sums]) as loop:
            places, sums = list(loop.carried[: 2 * count]), list(loop.carried[2 * count :])
            for stream in range(count):
                bases = self._bases(places[stream])
                places[stream] = bases[0]
                self._prefetch_stream(places[count + stream], lasts[stream])
                for step in range(_STEPS_SIDE_BY_SIDE):
                    sums = self._step(bases, places[count + stream], range(step, step + 1), sums, stream)
            sizes = [self.element] * count + [self.step_bytes] * count
            moved = [
                f.gep(at, int_(_STEPS_SIDE_BY_SIDE * n), "i8") for at, n in zip(places, sizes, strict=True)
            ]
            loop.next(*moved, *sums)
        left = f.sub(steps, f.mul(length, int_(count)))
        return loop.carried[count - 1], loop.carried[2 * count - 1], left, list(loop.carried[2 * count :])

    def _prefetch(self, ahead: V) -> None:
        if self.kernel.streams == 1 and not self.kernel.is_tall:
            self._ask(ahead, self.ahead_last, UNROLL)

    def _prefetch_stream(self, b: V, last: V) -> None:
        distance = self.shape.prefetch.few_bytes
        if distance:
            self._ask(self.f.gep(b, int_(distance), "i8"), last, _STEPS_SIDE_BY_SIDE)

    def _ask(self, begin: V, last: V, steps: int) -> None:
        """Ask for what so many steps read, from `begin` on or from `last`, if that is lower."""
        f, level = self.f, self.shape.prefetch.level
        if level:
            first = f.select(f.icmp("ult", begin, last), begin, last)
            for line in range(0, steps * self.step_bytes, CACHE_LINE):
                prefetch(f, f.gep(first, int_(line), "i8"), level)

    def _step(
        self, bases: Sequence[V], b: V, steps: range, sums: Sequence[V], turn: int | None = None
    ) -> list[V]:
        """Add one step, or those that are added before they are widened, to the sums of their turn."""
        f, kernel = self.f, self.kernel
        at = [[s * self.step_bytes + j * self.column_bytes for s in steps] for j in range(kernel.vectors)]
        columns = [[self._column(b, offset) for offset in offsets] for offsets in at]
        sums = list(sums)
        turn = steps.start // len(steps) if turn is None else turn
        phase = turn % kernel.phases * kernel.rows * kernel.vectors
        for row in range(kernel.rows):
            address = self._row(bases, row)
            loaded = [f.load(f.gep(address, int_(s * self.element), "i8"), self.shape.dtype) for s in steps]
            broadcasts = [f.splat(value, self.shape.lanes) for value in loaded]
            for j, column in enumerate(columns):
                index, pairs = phase + row * kernel.vectors + j, list(zip(broadcasts, column, strict=True))
                sums[index] = add_steps(f, sums[index], pairs, self.shape.instruction)
        return sums

    def _column(self, b: V, offset: int) -> V:
        """One vector of B; less that of the other, and kept, if the kernel differs."""
        f, shape = self.f, self.shape
        at = f.gep(b, int_(offset), "i8")
        if shape.short:
            return widened(f, at, shape.lanes)
        value = f.load(at, self.type)
        if not self.kernel.differs:
            return value
        other, kept = (f.gep(f.gep(b, by, "i8"), int_(offset), "i8") for by in (self.other, self.kept))
        value = f.binary("fsub", value, f.load(other, self.type))
        f.store(value, kept, self.vector_bytes)
        return value

    def _joined(self, sums: Sequence[V]) -> list[V]:
        """The sums of all phases."""
        size = self.kernel.rows * self.kernel.vectors
        parts = [sums[i : i + size] for i in range(0, len(sums), size)]
        while len(parts) > 1:
            parts = [
                [added(self.f, x, y) for x, y in zip(parts[i], parts[i + 1], strict=True)]
                for i in range(0, len(parts), 2)
            ]
        return list(parts[0])

    def _store(self, tile: V, descriptor: V, sums: Sequence[V]) -> None:
        f = self.f
        mode = f.word(descriptor, TileWords.MODE)
        done = f.new_label("done")
        # In this order LLVM keeps what the inner loop reads in registers, as a test sees.
        order = sorted(self.kernel.modes, key=lambda choice: choice < Mode.GATE)
        *_, last = order
        for choice in order:
            label, others = f.new_label("mode"), f.new_label("other")
            if choice is last:
                f.jump(label)
            else:
                f.branch(f.icmp("eq", mode, int_(choice)), label, others)
            f.start(label)
            self._store_as(choice, tile, descriptor, sums)
            f.jump(done)
            if choice is not last:
                f.start(others)
        f.start(done)

    def _store_as(self, mode: Mode, tile: V, descriptor: V, sums: Sequence[V]) -> None:
        f = self.f
        if mode >= Mode.FINISH:
            shifts = self._columns(descriptor, TileWords.BIAS)
        if mode is Mode.LEAK:
            slopes = self._columns(descriptor, TileWords.SLOPES)
        if mode in (Mode.FINISH, Mode.LIMIT, Mode.GATE):
            limits = self._splats(descriptor, TileWords.LOW, TileWords.HIGH)
        if mode is Mode.GATE:
            inner = self._splats(descriptor, TileWords.SLOPE, TileWords.SHIFT)
            outer = self._splats(descriptor, TileWords.SCALE, TileWords.OFFSET)
        if mode is Mode.FINISH:
            residual = self._addresses(
                f.word(descriptor, TileWords.RESIDUAL, "ptr"), descriptor, TileWords.RESIDUAL_ROW
            )
        into = self._addresses(tile, descriptor, TileWords.TILE_ROW)
        for i, value in enumerate(sums):
            if mode is Mode.ADD:
                value = added(f, f.load(into[i], self.type), value)
            if mode >= Mode.FINISH:
                value = added(f, value, shifts[i % self.kernel.vectors])
            if mode is Mode.FINISH:
                value = added(f, value, f.load(residual[i], self.type))
            if mode in (Mode.FINISH, Mode.LIMIT):
                value = clamped(f, value, *limits)
            if mode is Mode.LEAK:
                value = leaked(f, value, slopes[i % self.kernel.vectors])
            if mode is Mode.GATE:
                gate = clamped(f, f.fma(value, *inner), *limits)
                value = f.fma(f.binary("fmul", value, gate), *outer)
            f.store(value, into[i])

    def _columns(self, descriptor: V, word: TileWords) -> list[V]:
        """What a row of numbers of the columns holds, at the address in a word of the descriptor."""
        f, row = self.f, self.f.word(descriptor, word, "ptr")
        at = [f.gep(row, int_(j * self.vector_bytes), "i8") for j in range(self.kernel.vectors)]
        return [f.load(address, self.type) for address in at]

    def _splats(self, descriptor: V, *words: TileWords) -> list[V]:
        """Vectors of what words of the descriptor hold."""
        f, shape = self.f, self.shape
        return [f.splat(f.word(descriptor, word, shape.dtype), shape.lanes) for word in words]

    def _addresses(self, base: V, descriptor: V, row_word: TileWords) -> list[V]:
        """The addresses of all vectors of a tile in memory, row by row."""
        f, kernel = self.f, self.kernel
        row, half, vector = (f.word(descriptor, row_word + i) for i in range(3))
        contiguous = f.icmp("eq", half, int_(0))
        second = f.gep(base, f.select(contiguous, f.mul(row, int_(kernel.half)), half), "i8")
        addresses: list[V] = []
        for first, count in ((base, kernel.half), (second, kernel.rows - kernel.half)):
            at = first
            for r in range(count):
                at = at if r == 0 else f.gep(at, row, "i8")
                addresses += [at if j == 0 else f.gep(at, vector, "i8") for j in range(kernel.vectors)]
        return addresses
