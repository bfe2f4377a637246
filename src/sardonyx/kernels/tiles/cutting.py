"""Micro-kernels on matrix registers that cut their B from floats while they multiply.

The units of vectors cut a step while those of matrices multiply the one before: what is read of B is a third
shorter than its parts, and these stay in L1. Decides the order of loads, products and cuts; must not know
matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape, Plane
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, hidden, prefetch
from sardonyx.kernels.tiles.pairs import LANES
from sardonyx.kernels.tiles.parts import ROW_BYTES, cut_pair, define_cut_rows, define_cut_step, step_bytes
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, V, int_

_A, _B = ACROSS * ACROSS, ACROSS * ACROSS + ACROSS

AHEAD_LINES = 2
"""Cache lines that are asked for with each pair of rows."""


class CutWords(IntEnum):
    """The i64 words of the descriptor; strides and distances are in bytes.

    A holds parts A_LOW apart of rows A_ROW apart, the second register of rows A_HALF behind the first. Sums
    go to rows TILE_ROW apart, the second register TILE_HALF behind the first. CURRENT and OTHER point to room
    for a step of parts of B each, which take turns: the first of B is in CURRENT, and afterwards the first of
    what follows it is.
    """

    A_ROW = 0
    A_LOW = 1
    A_HALF = 2
    TILE_ROW = 3
    TILE_HALF = 4
    CURRENT = 5
    OTHER = 6
    AHEAD = 7


@dataclass(frozen=True, slots=True)
class CuttingKernel:
    """`rows` registers of sums, 1 or 2, by ACROSS."""

    shape: MatrixShape
    rows: int

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"cutting_{self.shape.tile.name}_{self.rows}"


def define_cutting(module: Module, kernel: CuttingKernel) -> str:
    """Add `void @name(ptr a, ptr b, ptr following, i64 steps, ptr tile, ptr descriptor)` once; returns it.

    tile = A @ B of whole steps, at least one. `b` is a panel of floats, ACROSS registers of columns wide; of
    `following`, which has as many steps, one is cut and two are asked for. Each step asks for
    LANES * AHEAD_LINES cache lines, too, from AHEAD on.
    """
    if not module.has(kernel.name):
        writer = _Writer(module, kernel)
        writer.f.finish_later(writer.write)
    return kernel.name


class _Writer:
    """Writes one micro-kernel."""

    def __init__(self, module: Module, kernel: CuttingKernel) -> None:
        params = [("a", "ptr"), ("b", "ptr"), ("following", "ptr"), ("steps", "i64")]
        params += [("tile", "ptr"), ("descriptor", "ptr")]
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.rows, self.shape = kernel.rows, kernel.shape
        self.by = kernel.shape.tile.instruction
        self.row_bytes = int_(self.shape.tile.row_bytes)

    def write(self) -> None:
        f = self.f
        a, b, following, steps, tile, descriptor = f.params
        self.a_row, self.a_low, self.a_half = (
            f.word(descriptor, w) for w in (CutWords.A_ROW, CutWords.A_LOW, CutWords.A_HALF)
        )
        room = [f.word(descriptor, w, "ptr") for w in (CutWords.CURRENT, CutWords.OTHER)]
        for register in range(self.rows * ACROSS):
            matrix.zero(f, self.by, register)
        each = int_(step_bytes(self.shape))
        beyond = f.select(f.icmp("sgt", steps, int_(1)), f.gep(following, each, "i8"), following)
        carried = [a, f.gep(b, each, "i8"), *room, f.word(descriptor, CutWords.AHEAD, "ptr")]
        with f.loop(f.sub(int_(0), steps), int_(0), 1, carried) as step:
            first, later, current, other, ahead = (hidden(f, pointer) for pointer in step.carried)
            last, before = (f.icmp("eq", step.index, int_(n)) for n in (-1, -2))
            soon = f.select(last, beyond, f.select(before, following, f.gep(later, each, "i8")))
            self._step((first, current), (f.select(last, following, later), other), (soon, ahead))
            asked = int_(LANES * AHEAD_LINES * CACHE_LINE)
            step.next(
                f.gep(first, self.row_bytes, "i8"),
                f.gep(later, each, "i8"),
                other,
                current,
                f.gep(ahead, asked, "i8"),
            )
        for word, pointer in zip((CutWords.CURRENT, CutWords.OTHER), step.carried[2:], strict=False):
            f.store(pointer, f.gep(descriptor, int_(word), "i64"), 8)
        row_bytes = f.word(descriptor, CutWords.TILE_ROW)
        for row, start in enumerate((tile, f.gep(tile, f.word(descriptor, CutWords.TILE_HALF), "i8"))):
            for column in range(ACROSS if row < self.rows else 0):
                at = f.gep(start, int_(column * self.shape.tile.row_bytes), "i8")
                matrix.store(f, self.by, row * ACROSS + column, at, row_bytes)
        f.ret()
        f.finish()

    def _step(self, operands: tuple[V, V], following: tuple[V, V], asked: tuple[V, V]) -> None:
        """One step of products; between the first of them, pairs of rows of the next one are cut."""
        f, pairs, (a, b), terms = self.f, iter(range(LANES)), operands, self.shape.terms
        # The last third leaves the stores time: registers are loaded from where they go.
        together = -(-LANES * 3 // (2 * len(terms) * self.rows * ACROSS))
        parts = [a, f.gep(a, self.a_low, "i8")]
        parts.append(f.gep(hidden(f, parts[1]), self.a_low, "i8"))
        held: tuple[int, int] | None = None
        for of_a, of_b in ((left % Plane.FINITE, right % Plane.FINITE) for left, right in terms):
            loads = held is None or of_a != held[0], held is None or of_b != held[1]
            held = of_a, of_b
            for row in range(self.rows):
                for column in range(ACROSS):
                    if loads[1] and row == 0:
                        at = (of_b * ACROSS + column) * self.shape.register_bytes
                        matrix.load(f, self.by, _B + column, f.gep(b, int_(at), "i8"), self.row_bytes)
                    if loads[0] and column == 0:
                        at_row = f.gep(parts[of_a], self.a_half, "i8") if row else parts[of_a]
                        matrix.load(f, self.by, _A + row, at_row, self.a_row)
                    matrix.add_product(f, self.by, row * ACROSS + column, _A + row, _B + column)
                    for number in islice(pairs, together):
                        cut_pair(f, self.shape, *following, number)
                        self._ask(*asked, number)

    def _ask(self, soon: V, ahead: V, number: int) -> None:
        """Ask for a pair of rows of the step after the next one, and for some of what follows."""
        f = self.f
        for row in (number, number + LANES):
            for line in range(ROW_BYTES // CACHE_LINE):
                at = row * ROW_BYTES + line * CACHE_LINE
                prefetch(f, f.gep(soon, int_(at), "i8"), 1)
        for line in range(AHEAD_LINES):
            at = (number * AHEAD_LINES + line) * CACHE_LINE
            prefetch(f, f.gep(ahead, int_(at), "i8"), 2)


def define_all(module: Module, tile: MatrixTile) -> None:
    """Add all micro-kernels of a tile of PARTS planes, and what cuts their operands before."""
    shape = MatrixShape(tile)
    define_cut_rows(module, shape)
    define_cut_step(module, shape)
    cutting_kernels(module, shape)


def cutting_kernels(module: Module, shape: MatrixShape) -> Sequence[V]:
    """The micro-kernels of one and of ACROSS registers of rows."""
    return [V(f"@{define_cutting(module, CuttingKernel(shape, n))}", "ptr") for n in range(1, ACROSS + 1)]
