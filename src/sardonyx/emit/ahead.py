"""Rows that are asked for while the row before them is computed.

A row that is read in several passes comes from memory in the first, and nothing else is done meanwhile; the
others find it in cache. Decides which pass asks for the next row. Must not know what is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sardonyx.emit.expr import ExprEmitter
from sardonyx.llvm import convert
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.cost import expr_cost
from sardonyx.loops.nest import Kernel, Load, Statement, roots

SHORTEST = 256
"""Elements of a row below which a processor asks for the next one by itself."""
_LINE_BYTES = 64
_PART_OF_L2 = 8
"""A row must not have more than one part in so many of the cache that it is brought to."""


class AheadEmitter(ExprEmitter):
    """Asks for rows; `row_step` is how many rows lie between one and that which is computed after it."""

    kernel: Kernel
    row_step: V = int_(1)
    _asked: Sequence[tuple[Load, V]] = ()

    def asking_pass(self, passes: Sequence[Sequence[Statement]]) -> Sequence[Statement] | None:
        """The pass over a row that takes longest, but for the first; None if it is not worth it."""
        vector, kernel = self.vector, self.kernel
        if kernel.form != "loops" or kernel.cross is not None or not kernel.outer or vector in kernel.outer:
            return None
        over = [p for p in passes if p[0].axes == (vector,)]
        if vector is None or len(over) < 2 or not self._rows_read():
            return None
        most = self.target.l2_bytes // _PART_OF_L2 // 8
        if self.extents.at_most([vector], SHORTEST - 1) or self.extents.at_least(vector, most + 1):
            return None
        return max(over[1:], key=lambda p: expr_cost((e for s in p for e in roots(s)), (vector,)))

    def _rows_read(self) -> list[Load]:
        """What is read of a row side by side."""
        row, found = self.kernel.outer[-1], dict[str, Load]()
        for expr in (e for s in self.kernel.body for e in s.exprs):
            if not isinstance(expr, Load) or expr.picks or expr.buffer.role != "in":
                continue
            if self.lane_step(expr.buffer, expr.at).known == 1 and self.words.step(expr.at, row).known != 0:
                found[self.pointer(expr.buffer, expr.at).text] = expr
        return list(found.values())

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The pass that is written inside asks for the next row, or for the same again behind the last."""
        f, row = self.f, self.kernel.outer[-1]
        is_there = f.icmp("slt", f.add(self.index(row), self.row_step), self.words.extent(row))
        rows = f.select(is_there, self.row_step, int_(0))
        self._asked = [(load, f.mul(rows, self.words.step(load.at, row))) for load in self._rows_read()]
        yield
        self._asked = ()

    def ask(self, displacement: int) -> None:
        """Ask for the lines of the next row that lie where the vector here does, if its pass asks."""
        f = self.f
        for load, distance in self._asked:
            memory = convert.memory_type(load.dtype)
            size = size_of(memory)
            if displacement * size % _LINE_BYTES:
                continue
            first = f.gep(self.pointer(load.buffer, load.at), distance, memory)
            vector_bytes = 1 if self.mask is not None else self.lanes * size
            for byte in range(0, vector_bytes, _LINE_BYTES):
                place = f.gep(first, int_(byte), "i8")
                f.call("llvm.prefetch.p0", "void", place, int_(0, "i32"), int_(2, "i32"), int_(1, "i32"))
