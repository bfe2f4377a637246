"""Rows of a panel whose sums are so short that they are written out, with all of B at hand.

Decides registers and what is read again; must not know matrices, panels or threads.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.kernels.tiles.microkernel import added, clamped
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

_WIDE_BYTES = 64
"""Of vectors that have 32 registers, and whose instructions take a single element from memory."""

_ROWS = 4
"""Rows that share what is read of B where it does not stay in registers."""


class RowWords(IntEnum):
    """The i64 words that rows of a panel share; strides are in bytes, LOW and HIGH bits of an element."""

    A_ROW = 0
    C_ROW = 1
    RESIDUAL_ROW = 2
    BIAS = 3
    LOW = 4
    HIGH = 5
    FINISHING = 6


@dataclass(frozen=True, slots=True)
class Rows:
    """Sums of `steps` products in each of `vectors` vectors of columns."""

    shape: TileShape
    steps: int
    vectors: int

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"shallow_{self.shape.operand}_{self.steps}x{self.vectors}"

    @property
    def holds(self) -> bool:
        """Whether B fits into registers beside sums, bias, limits and what they take."""
        wide = self.shape.lanes * self.shape.element == _WIDE_BYTES
        others = 3 * self.vectors + (3 if wide else 4)
        return self.steps * self.vectors + others <= (32 if wide else 16)

    @property
    def together(self) -> int:
        """Rows of one turn."""
        return 1 if self.holds else _ROWS


def define_rows(module: Module, rows: Rows) -> str:
    """Add `void @name(ptr a, ptr b, ptr c, ptr residual, i64 rows, i64 columns, ptr words)` once.

    c[r][j] = sum over the steps k of a[r][k] * b[k][j], or if FINISHING min(max(sum + BIAS[j] +
    residual[r][j], LOW), HIGH), which propagates NaN. b holds whole vectors, c that many `columns`.
    Returns the name.
    """
    if not module.has(rows.name):
        _Writer(module, rows).write()
    return rows.name


class _Writer:
    """Writes one function."""

    def __init__(self, module: Module, rows: Rows) -> None:
        pointers = [(name, "ptr") for name in ("a", "b", "c", "residual")]
        params = [*pointers, ("rows", "i64"), ("columns", "i64"), ("words", "ptr")]
        self.f = Function(module, rows.name, params, internal=True, attributes="nounwind noinline")
        self.rows, self.shape = rows, rows.shape
        self.a, self.b, self.c, self.residual, self.count, self.columns, self.words = self.f.params
        self.parts = range(rows.vectors)

    def write(self) -> None:
        """Write all of it."""
        f, shape = self.f, self.shape
        self.strides = [
            f.word(self.words, word) for word in (RowWords.A_ROW, RowWords.C_ROW, RowWords.RESIDUAL_ROW)
        ]
        steps = range(self.rows.steps)
        self.held = [[self._weights(k, j) for j in self.parts] for k in steps] if self.rows.holds else []
        left = f.sub(self.columns, int_((self.rows.vectors - 1) * shape.lanes))
        whole = f.icmp("sge", left, int_(shape.lanes))
        self._either(whole, lambda: self._all(None), lambda: self._all(f.tail_mask(left, shape.lanes)))
        f.ret()
        f.finish()

    def _either(self, condition: V, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        f = self.f
        labels = first, second, done = f.new_label("then"), f.new_label("else"), f.new_label("done")
        f.branch(condition, *labels[:2])
        for label, write in ((first, then), (second, otherwise)):
            f.start(label)
            write()
            f.jump(done)
        f.start(done)

    def _all(self, mask: V | None) -> None:
        """All rows; `mask` tells which elements of the last vector there are."""
        f, shape = self.f, self.shape
        finishing = f.icmp("ne", f.word(self.words, RowWords.FINISHING), int_(0))

        def finished() -> None:
            bias = f.word(self.words, RowWords.BIAS, "ptr")
            biases = [self._load(bias, j, mask) for j in self.parts]
            limits = [
                f.splat(f.word(self.words, w, shape.dtype), shape.lanes)
                for w in (RowWords.LOW, RowWords.HIGH)
            ]

            def finish(sums: list[V], residual: V) -> list[V]:
                others = (self._load(residual, j, mask) for j in self.parts)
                return [
                    clamped(f, added(f, added(f, x, bias), other), *limits)
                    for x, bias, other in zip(sums, biases, others, strict=True)
                ]

            self._loops(mask, finish)

        self._either(finishing, finished, lambda: self._loops(mask, lambda sums, _: sums))

    def _loops(self, mask: V | None, finish: Callable[[list[V], V], list[V]]) -> None:
        """Turns of some rows, then of one."""
        f, together = self.f, self.rows.together
        whole = f.binary("and", self.count, int_(-together))
        carried = [self.a, self.c, self.residual]
        for low, high, rows in ((int_(0), whole, together), (whole, self.count, 1))[
            : 2 if together > 1 else 1
        ]:
            with f.loop(low, high, rows, carried) as turn:
                at = [[x] for x in turn.carried]
                for x, stride in zip(at, self.strides, strict=True):
                    x.extend(f.gep(x[0], f.mul(stride, int_(n)), "i8") for n in range(1, rows + 1))
                a, c, residual = at
                for sums, to, other in zip(self._sums(a[:rows]), c, residual, strict=False):
                    for j, value in enumerate(finish(sums, other)):
                        self._store(value, to, j, mask)
                turn.next(*(x[rows] for x in at))
            carried = turn.carried

    def _sums(self, rows: list[V]) -> list[list[V]]:
        f, shape = self.f, self.shape
        sums = [[int_(0, shape.vector) for _ in self.parts] for _ in rows]
        for k in range(self.rows.steps):
            weights = self.held[k] if self.held else [self._weights(k, j) for j in self.parts]
            for row, own in zip(rows, sums, strict=True):
                x = f.splat(f.load(f.gep(row, int_(k), shape.dtype), shape.dtype), shape.lanes)
                own[:] = (f.fma(x, w, total) for w, total in zip(weights, own, strict=True))
        return sums

    def _weights(self, step: int, part: int) -> V:
        at = (step * self.rows.vectors + part) * self.shape.lanes
        return self.f.load(self.f.gep(self.b, int_(at), self.shape.dtype), self.shape.vector)

    def _at(self, address: V, part: int) -> V:
        return self.f.gep(address, int_(part * self.shape.lanes), self.shape.dtype)

    def _load(self, address: V, part: int, mask: V | None) -> V:
        at, vector = self._at(address, part), self.shape.vector
        if mask and part == self.rows.vectors - 1:
            return self.f.masked_load(at, vector, mask)
        return self.f.load(at, vector)

    def _store(self, value: V, address: V, part: int, mask: V | None) -> None:
        at = self._at(address, part)
        if mask and part == self.rows.vectors - 1:
            self.f.masked_store(value, at, mask)
        else:
            self.f.store(value, at)
