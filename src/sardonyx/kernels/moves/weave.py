"""Moves whole vectors of what lies a few elements apart: rows woven or taken apart, steps, reversals.

Decides which strides these are, and that no element is touched but theirs and those between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sardonyx.llvm.shuffle import deinterleave, interleave, pick, reverse
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

PARAMETERS = [
    *[("from", "ptr"), ("from_pitch", "i64"), ("from_step", "i64")],
    *[("to", "ptr"), ("to_pitch", "i64"), ("to_step", "i64")],
    *[("rows", "i64"), ("columns", "i64")],
]
"""Those of a function that moves a matrix, strides in bytes."""
FEW = (2, 3, 4)
"""How many elements lie side by side of which vectors are made."""


class Matrix(NamedTuple):
    """What such a function is told."""

    source: V
    pitch: V
    step: V
    to: V
    to_pitch: V
    to_step: V
    rows: V
    columns: V


class Weave:
    """Functions for some steps between elements of a size, of vectors of so many lanes."""

    def __init__(self, module: Module, name: str, size: int, lanes: int) -> None:
        self.module, self.name, self.size, self.lanes = module, name, size, lanes
        self.scalar = f"i{8 * size}"

    def cases(self, f: Function, at: Matrix) -> Iterator[tuple[V, str]]:
        """Conditions of a matrix whose columns are written side by side, and the function for each.

        The functions are written on the way; they have `PARAMETERS`.
        """
        size = self.size
        is_row = f.icmp("eq", at.pitch, int_(size))
        for count in FEW:
            many = int_(count * size)
            woven = (f.icmp("eq", at.columns, int_(count)), is_row, f.icmp("eq", at.to_pitch, many))
            apart = (f.icmp("eq", at.rows, int_(count)), is_row, f.icmp("eq", at.step, many))
            yield _all(f, woven), self._function(f"woven_{count}", count, self._woven)
            yield _all(f, apart), self._function(f"apart_{count}", count, self._apart)
        squares = f.icmp("sge", at.rows, int_(self.lanes))
        thin = f.binary("xor", f.binary("and", is_row, squares), int_(1, "i1"))
        for name, count in (*((str(n), n) for n in FEW), ("back", -1)):
            steps = f.icmp("eq", at.step, int_(count * size)), thin
            yield _all(f, steps), self._function(f"step_{name}", count, self._step)

    def _function(self, kind: str, count: int, write: Callable[[Function, Matrix, int], None]) -> str:
        name = f"{self.name}_{kind}"
        f = Function(self.module, name, PARAMETERS, internal=True)
        write(f, Matrix(*f.params), count)
        f.ret()
        f.finish()
        return name

    def _woven(self, f: Function, at: Matrix, count: int) -> None:
        """Columns that are rows in memory, each step one element of every column."""

        def vectors(index: V, lanes: int) -> None:
            place = f.gep(at.source, index, self.scalar)
            columns = [self._load(f, place, f.mul(at.step, int_(n)), lanes) for n in range(count)]
            to = f.gep(at.to, f.mul(index, int_(count)), self.scalar)
            for number, vector in enumerate(interleave(f, columns)):
                f.store(vector, f.gep(to, int_(number * lanes), self.scalar), 1)

        def single(index: V) -> None:
            place = f.gep(at.source, index, self.scalar)
            to = f.gep(at.to, f.mul(index, int_(count)), self.scalar)
            for number in range(count):
                value = f.load(f.gep(place, f.mul(at.step, int_(number)), "i8"), self.scalar, 1)
                f.store(value, f.gep(to, int_(number), self.scalar), 1)

        self._along(f, at.rows, vectors, single)

    def _apart(self, f: Function, at: Matrix, count: int) -> None:
        """Rows that lie woven in memory."""

        def vectors(index: V, lanes: int) -> None:
            place = f.gep(at.source, f.mul(index, int_(count)), self.scalar)
            to = f.gep(at.to, index, self.scalar)
            for number, row in enumerate(deinterleave(f, self._side_by_side(f, place, count, lanes))):
                f.store(row, f.gep(to, f.mul(at.to_pitch, int_(number)), "i8"), 1)

        def single(index: V) -> None:
            place = f.gep(at.source, f.mul(index, int_(count)), self.scalar)
            to = f.gep(at.to, index, self.scalar)
            for number in range(count):
                value = f.load(f.gep(place, int_(number), self.scalar), self.scalar, 1)
                f.store(value, f.gep(to, f.mul(at.to_pitch, int_(number)), "i8"), 1)

        self._along(f, at.columns, vectors, single)

    def _step(self, f: Function, at: Matrix, count: int) -> None:
        """Rows of elements some apart, or backwards; what lies between two of them may be read."""
        behind = count - 1 if count > 0 else 0
        with f.loop(int_(0), at.rows, 1, [at.source, at.to]) as row:
            source, to = row.carried

            def vectors(index: V, lanes: int) -> None:
                first = f.gep(source, int_(0 if count > 0 else 1 - lanes), self.scalar)
                place = f.gep(first, f.mul(index, int_(count)), self.scalar)
                read = self._side_by_side(f, place, abs(count), lanes)
                picks = [lane * count for lane in range(lanes)]
                made = pick(f, read, picks) if count > 0 else reverse(f, read[0])
                f.store(made, f.gep(to, index, self.scalar), 1)

            def single(index: V) -> None:
                place = f.gep(source, f.mul(index, int_(count)), self.scalar)
                f.store(f.load(place, self.scalar, 1), f.gep(to, index, self.scalar), 1)

            self._along(f, at.columns, vectors, single, behind=behind)
            row.next(f.gep(source, at.pitch, "i8"), f.gep(to, at.to_pitch, "i8"))

    def _along(
        self,
        f: Function,
        count: V,
        vectors: Callable[[V, int], None],
        single: Callable[[V], None],
        behind: int = 0,
    ) -> None:
        """Vectors, of which the last ends where the row does; single elements if there are fewer.

        Where vectors read `behind` elements further than they need, the last ones of a row are single too.
        """
        if behind:
            with f.loop(int_(0), f.sub(count, int_(self.lanes)), self.lanes) as whole:
                vectors(whole.index, self.lanes)
            with f.loop(whole.index, count) as rest:
                single(rest.index)
            return
        done = f.new_label("done")
        for lanes in (self.lanes, self.lanes // 2):
            many, few = f.new_label("many"), f.new_label("few")
            f.branch(f.icmp("sge", count, int_(lanes)), many, few)
            f.start(many)
            with f.loop(int_(0), count, lanes) as whole:
                vectors(f.smin(whole.index, f.sub(count, int_(lanes))), lanes)
            f.jump(done)
            f.start(few)
        with f.loop(int_(0), count) as rest:
            single(rest.index)
        f.jump(done)
        f.start(done)

    def _load(self, f: Function, place: V, offset: V, lanes: int) -> V:
        return f.load(f.gep(place, offset, "i8"), vector_of(self.scalar, lanes), 1)

    def _side_by_side(self, f: Function, place: V, count: int, lanes: int) -> Sequence[V]:
        return [self._load(f, place, int_(n * lanes * self.size), lanes) for n in range(count)]


def _all(f: Function, conditions: Sequence[V]) -> V:
    result, *rest = conditions
    for condition in rest:
        result = f.binary("and", result, condition)
    return result
