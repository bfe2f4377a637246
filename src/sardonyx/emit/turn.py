"""A function that copies a matrix and turns it: one module for all kernels that read across what they write.

Decides how squares are turned in registers and what happens at the edges. Must not know loop nests.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.llvm.shuffle import transpose
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_MASKED_BYTES = 4
"""Shorter elements have masks in memory on some targets only."""
_PARAMETERS = [
    ("from", "ptr"),
    ("from_pitch", "i64"),
    ("to", "ptr"),
    ("to_pitch", "i64"),
    ("rows", "i64"),
    ("columns", "i64"),
]
_BY_BYTES = {1: "i8", 2: "i16", 4: "float", 8: "double"}


class Turn(NamedTuple):
    """Which function: the type of elements, and how many of them are a side of a square."""

    memory: str
    lanes: int

    @classmethod
    def of(cls, memory: str, lanes: int) -> Turn:
        """The function for elements of the size of an LLVM scalar."""
        return cls(_BY_BYTES[size_of(memory)], lanes)

    @property
    def symbol(self) -> str:
        """`void(ptr from, i64 from_pitch, ptr to, i64 to_pitch, i64 rows, i64 columns)`, in elements.

        to[c * to_pitch + r] = from[r * from_pitch + c] for all rows r and columns c.
        """
        return f"sdx_turn_{self.memory}_{self.lanes}"

    @property
    def size_bytes(self) -> int:
        """Bytes of an element."""
        return size_of(self.memory)

    def ir(self, target: Target) -> str:
        """The text of its module."""
        module = Module()
        _Writer(module, self, target).write()
        return module.text()


def turns(target: Target) -> list[Turn]:
    """The functions that kernels of elements of one size call on a target."""
    return [Turn(memory, _lanes(target, size)) for size, memory in _BY_BYTES.items()]


def _lanes(target: Target, size_bytes: int) -> int:
    return min(target.lanes, 8) if size_bytes == 8 else target.lanes


class _Writer:
    def __init__(self, module: Module, turn: Turn, target: Target) -> None:
        self.f = Function(module, turn.symbol, _PARAMETERS)
        self.memory, self.lanes = turn
        is_long = size_of(self.memory) >= _MASKED_BYTES
        self.has_masks = is_long or (target.has("avx512bw") and target.has("avx512vl"))
        self.source, self.source_pitch, self.to, self.to_pitch, self.rows, self.columns = self.f.params

    def write(self) -> None:
        f, lanes, none = self.f, int_(self.lanes), int_(0)
        cut, narrow, few, part, whole = (f.new_label(n) for n in ("cut", "narrow", "few", "part", "whole"))
        f.branch(f.icmp("sge", self.columns, lanes), cut, narrow)
        f.start(cut)
        f.branch(f.icmp("sge", self.rows, lanes), whole, part)
        f.start(narrow)
        f.branch(f.icmp("sge", self.rows, lanes), few, part)
        f.start(whole)
        last_row, last_column = f.sub(self.rows, lanes), f.sub(self.columns, lanes)
        self._squares(last_row, last_column, self._whole)
        f.start(few)
        if self.has_masks:
            self._squares(f.sub(self.rows, lanes), none, self._narrow)
        else:
            self._one_by_one()
        f.start(part)
        if self.has_masks:
            self._squares(none, f.smax(f.sub(self.columns, lanes), none), self._part)
        else:
            self._one_by_one()
        f.finish()

    def _squares(self, last_row: V, last_column: V, square: Callable[[V, V, V], None]) -> None:
        """All squares; the last ones of a side overlap those before them."""
        f = self.f
        with f.loop(int_(0), self.columns, self.lanes) as across:
            column = f.smin(across.index, last_column)
            source = f.gep(self.source, column, self.memory)
            to = f.gep(self.to, f.mul(column, self.to_pitch), self.memory)
            left = f.sub(self.columns, column)
            with f.loop(int_(0), self.rows, self.lanes) as down:
                row = f.smin(down.index, last_row)
                from_here = f.gep(source, f.mul(row, self.source_pitch), self.memory)
                square(from_here, f.gep(to, row, self.memory), left)
        f.ret()

    def _places(self, first: V, steps: list[V]) -> list[V]:
        places = [first]
        for step in steps:
            places.append(self.f.gep(places[-1], step, self.memory))
        return places

    def _whole(self, source: V, to: V, _: V) -> None:
        f, again = self.f, self.lanes - 1
        type_ = vector_of(self.memory, self.lanes)
        rows = [f.load(place, type_) for place in self._places(source, [self.source_pitch] * again)]
        places = self._places(to, [self.to_pitch] * again)
        for column, place in zip(transpose(f, rows), places, strict=True):
            f.store(column, place)

    def _narrow(self, source: V, to: V, columns: V) -> None:
        """A square that has all rows, but not all columns."""
        places = self._places(source, [self.source_pitch] * (self.lanes - 1))
        self._store_some(self._columns(places, columns), to, columns, None)

    def _part(self, source: V, to: V, columns: V) -> None:
        """All rows, which are few: behind the last one it is read again."""
        f, pitch, none = self.f, self.source_pitch, int_(0)
        steps = [f.select(f.icmp("sgt", self.rows, int_(n)), pitch, none) for n in range(1, self.lanes)]
        turned = self._columns(self._places(source, steps), columns)
        self._store_some(turned, to, columns, f.tail_mask(self.rows, self.lanes))

    def _columns(self, places: list[V], columns: V) -> list[V]:
        f, type_ = self.f, vector_of(self.memory, self.lanes)
        inside = f.tail_mask(columns, self.lanes)
        return transpose(f, [f.masked_load(place, type_, inside) for place in places])

    def _store_some(self, turned: list[V], to: V, columns: V, rows: V | None) -> None:
        f, done = self.f, self.f.new_label("done")
        for number, column in enumerate(turned):
            if number:
                more = f.new_label("more")
                f.branch(f.icmp("sgt", columns, int_(number)), more, done)
                f.start(more)
                to = f.gep(to, self.to_pitch, self.memory)
            if rows is None:
                f.store(column, to)
            else:
                f.masked_store(column, to, rows)
        f.jump(done)
        f.start(done)

    def _one_by_one(self) -> None:
        f = self.f
        with f.loop(int_(0), self.columns) as across:
            source = f.gep(self.source, across.index, self.memory)
            to = f.gep(self.to, f.mul(across.index, self.to_pitch), self.memory)
            with f.loop(int_(0), self.rows) as down:
                from_here = f.gep(source, f.mul(down.index, self.source_pitch), self.memory)
                f.store(f.load(from_here, self.memory), f.gep(to, down.index, self.memory))
        f.ret()
