"""Micro-kernels on matrix registers: two by two registers of sums, summed over steps of k.

Decides registers, the order of loads and products, and how few sums hide their latency; must not know
matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, added, hidden, prefetch
from sardonyx.llvm import matrix
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

ACROSS = 2
"""Registers of rows, and of columns, of a full tile of sums."""

_NUMBER_BYTES = {"bf16": 2, "u8s8": 4, "s8": 1}
_SUMS = ACROSS * ACROSS
_A, _B = _SUMS, _SUMS + ACROSS
OF_SUMS, OF_A, OF_B = range(_SUMS), range(_A, _B), range(_B, _B + ACROSS)
"""The registers of sums and of A, with the rows of A, and those of B, with as many as these have steps."""


class Plane(IntEnum):
    """What is held of a number: what of it fits, what is left, what is left of that, FINITE what fits, or 0.

    The low part of one number is never multiplied by an infinite one, which would be NaN where it is 0.
    """

    HIGH = 0
    LOW = 1
    LOWEST = 2
    FINITE = 3


_TERMS: dict[int, tuple[tuple[Plane, Plane], ...]] = {
    1: ((Plane.HIGH, Plane.HIGH),),
    3: ((Plane.FINITE, Plane.LOW), (Plane.HIGH, Plane.HIGH), (Plane.LOW, Plane.FINITE)),
    6: (
        (Plane.HIGH, Plane.HIGH),
        (Plane.LOWEST, Plane.FINITE),
        (Plane.LOW, Plane.FINITE),
        (Plane.LOW, Plane.LOW),
        (Plane.FINITE, Plane.LOW),
        (Plane.FINITE, Plane.LOWEST),
    ),
}
"""The planes of A and of B that are multiplied: of neighbours one is the same, so that it stays loaded."""

_PARTS = {1: 1, 3: 2, 6: 3}


@dataclass(frozen=True, slots=True)
class MatrixShape:
    """The tile of one row of the table of matrix registers, in elements and bytes."""

    tile: MatrixTile

    @property
    def planes(self) -> int:
        """Numbers of a register that one of a matrix is the sum of."""
        return _PARTS[self.tile.terms]

    @property
    def held(self) -> tuple[Plane, ...]:
        """The planes of an operand in the order of memory, the last of which is there if it differs."""
        parts = tuple(plane for plane in Plane if plane < self.planes)
        return parts if self.planes == 1 else (*parts, Plane.FINITE)

    @property
    def abreast(self) -> int:
        """Vectors of floats that a step has the numbers of in turn; 1: they follow one another."""
        return 1 if self.planes < 3 else self.depth

    @property
    def in_pairs(self) -> bool:
        """Whether a step of a convolution's input has the channels of its two halves in turn."""
        return self.abreast == 2

    @property
    def terms(self) -> tuple[tuple[Plane, Plane], ...]:
        """The planes of A and of B that are multiplied."""
        return _TERMS[self.tile.terms]

    @property
    def number_bytes(self) -> int:
        """Bytes of one number of a register; four bytes are one, as they are one k step of vectors."""
        return _NUMBER_BYTES[self.tile.number]

    @property
    def k_step(self) -> int:
        """Elements of k that one register holds."""
        return self.tile.row_bytes // self.number_bytes

    @property
    def depth(self) -> int:
        """Elements of k that one row of a register of B holds of each column."""
        return self.k_step // self.tile.rows

    @property
    def register_bytes(self) -> int:
        """Bytes of one register."""
        return self.tile.rows * self.tile.row_bytes

    @property
    def rows(self) -> int:
        """Rows of a full tile, and its columns."""
        return ACROSS * self.tile.rows

    def b_row_bytes(self, registers: int) -> int:
        """Bytes between rows of a register of B, of which so many lie side by side.

        Panels of 8 bits are those of tiles of vectors, whose k steps are whole rows of a panel.
        """
        return self.tile.row_bytes * (registers if self.tile.operand == "i8" else 1)

    @property
    def b_register_bytes(self) -> int:
        """Bytes between registers of B that are side by side."""
        return self.tile.row_bytes if self.tile.operand == "i8" else self.register_bytes


class MatrixWords(IntEnum):
    """The i64 words of the descriptor that the tiles of a panel share; strides and distances are in bytes.

    A tile sums ENTRIES runs of steps of one length, of which TABLE tells how far A is from its begin; one run
    from its begin if ENTRIES is 0. The second register of rows is A_HALF and TILE_HALF behind the first, or
    if they are 0 next to it. A_LOW and A_FINITE are how far those planes are behind that of HIGH, B_FINITE
    likewise; that of LOWEST is as far behind that of LOW. A step of A is A_STEP behind the one before, or if
    that is 0 in the same rows. ADD tells whether sums go on from those in the tile. SPARE is room for
    SPARE_BYTES. ASKS times a term and step LINES cache lines are asked for that are read later, from AHEAD
    on, and none behind AHEAD_LAST. AHEAD and TILE, where sums go, are of one tile.

    Of whole numbers with scales SCALES has a float for each of the ROWS that registers of A have, SCALE_ROW
    apart, those of the second SCALES_HALF behind those of the first, and COLUMN_SCALES one a column of B.
    Registers of columns of the tile are TILE_COLUMN apart, and ROWS_HALF rows of the second register are
    stored, after BIAS is added, a float a column, and RESIDUAL, laid out as the tile: at least LOW, at most
    HIGH.
    MASKS, if not 0, has a word of bits for each of the ENTRIES: which numbers of its step count.
    """

    A_ROW = 0
    A_LOW = 1
    A_FINITE = 2
    B_STEP = 3
    B_FINITE = 4
    TILE_ROW = 5
    ADD = 6
    SPARE = 7
    AHEAD = 8
    AHEAD_LAST = 9
    LINES = 10
    TILE = 11
    TABLE = 12
    ENTRIES = 13
    A_HALF = 14
    TILE_HALF = 15
    A_STEP = 16
    ROWS = 17
    SCALES = 18
    SCALE_ROW = 19
    SCALES_HALF = 20
    COLUMN_SCALES = 21
    MASKS = 22
    TILE_COLUMN = 23
    ROWS_HALF = 24
    BIAS = 25
    LOW = 26
    HIGH = 27
    RESIDUAL = 28
    RESIDUAL_ROW = 29
    RESIDUAL_COLUMN = 30
    RESIDUAL_HALF = 31


ASKS = 2
"""How often cache lines are asked for among the products of a term: many at once hold up what is loaded."""

SPARE_BYTES = 3 * 1024
"""Sums that are joined with those of a tile when it is done."""


@dataclass(frozen=True, slots=True)
class MatrixKernel:
    """`rows` by `columns` registers of sums, 1 or 2; of few, several take turns."""

    shape: MatrixShape
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"matrix_{self.shape.tile.name}_{self.rows}x{self.columns}"

    @property
    def turns(self) -> int:
        """Registers that one register of sums is spread over.

        Only one for numbers of all bits of a float: equal columns are to have equal sums in every panel.
        """
        return 1 if self.shape.planes == 3 else _SUMS // (self.rows * self.columns)


def define(module: Module, kernel: MatrixKernel) -> str:
    """Add `void @name(ptr a, ptr b, i64 steps, ptr descriptor)` once; returns the name.

    A has rows A_ROW apart, of which each step reads a register's row; a step of B is `columns` registers of
    one plane after the other, B_STEP apart. All are read and written in whole registers.
    """
    if not module.has(kernel.name):
        writer = _Writer(module, kernel)
        writer.f.finish_later(writer.write)
    return kernel.name


class _Writer:
    """Writes one micro-kernel."""

    def __init__(self, module: Module, kernel: MatrixKernel) -> None:
        params = [("a", "ptr"), ("b", "ptr"), ("steps", "i64"), ("descriptor", "ptr")]
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.kernel, self.shape = kernel, kernel.shape
        self.by = kernel.shape.tile.instruction
        self.row_bytes = int_(self.shape.tile.row_bytes)

    def write(self) -> None:
        f = self.f
        _, b, steps, descriptor = f.params
        word = {w: f.word(descriptor, w) for w in MatrixWords if w < MatrixWords.SPARE}
        self.a_row, self.b_step = word[MatrixWords.A_ROW], word[MatrixWords.B_STEP]
        self.a_low = word[MatrixWords.A_LOW]
        self.descriptor = descriptor
        half = f.mul(self.a_row, int_(self.shape.tile.rows))
        self.a_half = self._or(f.word(descriptor, MatrixWords.A_HALF), half)
        self.a_step = self._or(f.word(descriptor, MatrixWords.A_STEP), self.row_bytes)
        self._begin(f.icmp("ne", word[MatrixWords.ADD], int_(0)))
        if self.shape.planes == 1:
            self._sum(b, steps, careful=False)
        else:
            usual, careful, done = (f.new_label(hint) for hint in ("usual", "careful", "done"))
            finite = f.binary("or", word[MatrixWords.A_FINITE], word[MatrixWords.B_FINITE])
            f.branch(f.icmp("eq", finite, int_(0)), usual, careful)
            for label in (usual, careful):
                f.start(label)
                self._sum(b, steps, careful=label == careful)
                f.jump(done)
            f.start(done)
        self._end(f.word(descriptor, MatrixWords.SPARE, "ptr"))
        f.ret()
        f.finish()

    def _sum(self, b: V, steps: V, *, careful: bool) -> None:
        """Sum all runs; only if `careful` may finite numbers be apart from all others."""
        f, descriptor, a = self.f, self.descriptor, self.f.params[0]
        self.careful = careful
        # Terms of one step take turns already.
        unroll = self.kernel.turns if len(self.shape.terms) == 1 else 1
        whole = f.binary("and", steps, int_(-unroll))
        entries = f.word(descriptor, MatrixWords.ENTRIES)
        carried = [b, f.word(descriptor, MatrixWords.AHEAD, "ptr")]
        with f.loop(int_(0), f.smax(entries, int_(1)), 1, carried) as entry:
            listed = f.icmp("ne", f.word(descriptor, MatrixWords.ENTRIES), int_(0))
            none = f.gep(descriptor, int_(MatrixWords.ENTRIES), "i64")
            table = f.select(listed, f.word(descriptor, MatrixWords.TABLE, "ptr"), none)
            first = f.gep(a, f.load(f.gep(table, entry.index, "i64"), "i64"), "i8")
            carried = self._steps(f.sub(int_(0), whole), unroll, [first, *entry.carried])
            if unroll > 1:
                carried = self._steps(f.sub(whole, steps), 1, carried)
            entry.next(*carried[1:])

    def _or(self, distance: V, usual: V) -> V:
        """The distance, or the usual one if it is 0."""
        return self.f.select(self.f.icmp("ne", distance, int_(0)), distance, usual)

    def _sums(self) -> list[tuple[int, int, int]]:
        """The register, row and column of each register of sums of the first turn."""
        kernel = self.kernel
        places = [(r, c) for r in range(kernel.rows) for c in range(kernel.columns)]
        return [(n, r, c) for n, (r, c) in enumerate(places)]

    def _places(self) -> list[tuple[int, V]]:
        """The registers of sums of the first turn, and where each lies in the tile."""
        f = self.f
        usual = f.mul(f.word(self.descriptor, MatrixWords.TILE_ROW), int_(self.shape.tile.rows))
        tile = f.word(self.descriptor, MatrixWords.TILE, "ptr")
        half = self._or(f.word(self.descriptor, MatrixWords.TILE_HALF), usual)
        starts = tile, f.gep(tile, half, "i8")
        step = self.shape.tile.row_bytes
        return [(n, f.gep(starts[row], int_(column * step), "i8")) for n, row, column in self._sums()]

    def _begin(self, adds: V) -> None:
        f = self.f
        on, anew, done = (f.new_label(hint) for hint in ("on", "anew", "done"))
        f.branch(adds, on, anew)
        f.start(on)
        for register, place in self._places():
            matrix.load(f, self.by, register, place, f.word(self.descriptor, MatrixWords.TILE_ROW))
        f.jump(done)
        f.start(anew)
        for register, _, _ in self._sums():
            matrix.zero(f, self.by, register)
        f.jump(done)
        f.start(done)
        for register in range(len(self._sums()), len(self._sums()) * self.kernel.turns):
            matrix.zero(f, self.by, register)

    def _steps(self, begin: V, count: int, carried: list[V]) -> list[V]:
        """Steps from `begin`, which is negative, to 0: that takes a register less than counting up."""
        f, kernel = self.f, self.kernel
        apart = len(self._sums())
        with f.loop(begin, int_(0), count, carried) as loop:
            first, second, self.ahead = (hidden(f, pointer) for pointer in loop.carried)
            turn = 0
            for _ in range(count):
                matrix.stay_awake(f, self.shape.tile.row_bytes // 4)
                held: tuple[Plane, Plane] | None = None
                for of_a, of_b in self.shape.terms:
                    planes = self._read(of_a), self._read(of_b)
                    loads = held is None or planes[0] != held[0], held is None or planes[1] != held[1]
                    self._term(first, second, planes, turn % kernel.turns * apart, loads)
                    held, turn = planes, turn + 1
                first = f.gep(first, self.a_step, "i8")
                second = f.gep(second, self.b_step, "i8")
            loop.next(first, second, self.ahead)
        return loop.carried

    def _ask(self) -> None:
        """Ask for some of what later tiles read."""
        f = self.f
        lines = f.word(self.descriptor, MatrixWords.LINES)
        with f.loop(f.sub(int_(0), lines), int_(0), 1, [self.ahead]) as line:
            (ahead,) = line.carried
            last = f.word(self.descriptor, MatrixWords.AHEAD_LAST, "ptr")
            at = f.select(f.icmp("ult", ahead, last), ahead, last)
            prefetch(f, at, 2)
            line.next(f.gep(at, int_(CACHE_LINE), "i8"))
        (self.ahead,) = line.carried

    def _read(self, plane: Plane) -> Plane:
        """The plane that is read for one: finite numbers lie with all others, if not to be careful."""
        return plane if self.careful or plane is not Plane.FINITE else Plane.HIGH

    def _term(self, a: V, b: V, planes: tuple[Plane, Plane], sums: int, loads: tuple[bool, bool]) -> None:
        """Products of one plane each; among them loads of what is not there yet, and what is asked for."""
        f, kernel = self.f, self.kernel
        loads_a, loads_b = loads
        a, b = self._a_plane(a, planes[0]), self._b_plane(b, planes[1])
        for row in range(kernel.rows):
            for column in range(kernel.columns):
                if loads_b and row == 0:
                    at = f.gep(b, int_(column * self.shape.b_register_bytes), "i8")
                    row_bytes = int_(self.shape.b_row_bytes(kernel.columns))
                    matrix.load(f, self.by, _B + column, at, row_bytes)
                if loads_a and column == 0:
                    matrix.load(f, self.by, _A + row, f.gep(a, self.a_half, "i8") if row else a, self.a_row)
                number = row * kernel.columns + column
                matrix.add_product(f, self.by, sums + number, _A + row, _B + column)
                count = kernel.rows * kernel.columns
                for _ in range(ASKS * number // count, ASKS * (number + 1) // count):
                    self._ask()

    def _a_plane(self, address: V, plane: Plane) -> V:
        f = self.f
        if plane is Plane.FINITE:
            return hidden(f, f.gep(address, f.word(self.descriptor, MatrixWords.A_FINITE), "i8"))
        for _ in range(plane):
            address = f.gep(hidden(f, address), self.a_low, "i8")
        return hidden(f, address)

    def _b_plane(self, address: V, plane: Plane) -> V:
        f, kernel = self.f, self.kernel
        if plane is Plane.FINITE:
            return f.gep(address, f.word(self.descriptor, MatrixWords.B_FINITE), "i8")
        return f.gep(address, int_(plane * kernel.columns * self.shape.register_bytes), "i8")

    def _end(self, spare: V) -> None:
        """Store all sums; those of further turns are added through memory.

        One register after the other: the rows of the second may begin inside those of the first.
        """
        f, shape = self.f, self.shape
        row_bytes = f.word(self.descriptor, MatrixWords.TILE_ROW)
        places = self._places()
        others = range(len(places), len(places) * self.kernel.turns)
        for n, register in enumerate(others):
            at = f.gep(spare, int_(n * shape.register_bytes), "i8")
            matrix.store(f, self.by, register, at, self.row_bytes)
        for register, place in places:
            matrix.store(f, self.by, register, place, row_bytes)
            if others:
                self._add(place, row_bytes, spare, range(register, len(others), len(places)))

    def _add(self, tile: V, row_bytes: V, spare: V, parts: Sequence[int]) -> None:
        """Add those parts of the spare sums to a register's rows in memory."""
        f, shape = self.f, self.shape
        scalar = "float" if shape.tile.accumulator == "f32" else "i32"
        vector = vector_of(scalar, shape.tile.row_bytes // 4)
        with f.loop(int_(0), int_(shape.tile.rows)) as line:
            at = f.gep(tile, f.mul(line.index, row_bytes), "i8")
            apart = f.mul(line.index, self.row_bytes)
            total = f.load(at, vector)
            for n in parts:
                part = f.gep(f.gep(spare, int_(n * shape.register_bytes), "i8"), apart, "i8")
                total = added(f, total, f.load(part, vector))
            f.store(total, at)


def kernels(module: Module, shape: MatrixShape) -> Sequence[Sequence[V]]:
    """All micro-kernels of a shape as [rows - 1][columns - 1]."""
    sizes = range(1, ACROSS + 1)
    return [[V(f"@{define(module, MatrixKernel(shape, r, c))}", "ptr") for c in sizes] for r in sizes]
