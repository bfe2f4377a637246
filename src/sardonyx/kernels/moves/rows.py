"""Copies one matrix: rows by vectors, repeated elements, squares turned in registers, or one by one.

Decides which way serves the strides. Must not know how matrices are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sardonyx.base.target import Target
from sardonyx.emit.turn import Turn
from sardonyx.kernels.moves.weave import PARAMETERS, Matrix, Weave
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_COPIES = 4
"""Vectors that are copied side by side."""
_HALF_BYTES = 32
"""Vectors by which rows are copied that no cache keeps: Zen 5 takes a fifth longer by larger ones."""
KEPT_BYTES = 1 << 20
"""What moves is kept by caches below this size. One of the code: modules serve CPUs with any caches."""
_SINGLES = 4
"""Elements that are copied side by side."""

Write = Callable[[V, V, V], None]
"""Writes what a row takes: where it is read and written, and how many bytes it has."""


class Rows:
    """`void(from, from_pitch, from_step, to, to_pitch, to_step, rows, columns, far)`, strides in bytes.

    There is at least one row and one column; `far` tells that what is moved does not stay in a cache.
    """

    def __init__(self, module: Module, name: str, target: Target, turn: Turn) -> None:
        self.name, self.lanes, self.turn, self.size = name, turn.lanes, turn, turn.size_bytes
        self.f = Function(module, name, [*PARAMETERS, ("far", "i1")], internal=True)
        self.weave = Weave(module, name, self.size, self.lanes)
        self.vector_bytes = 4 * target.lanes
        *at, self.far = self.f.params
        self.at = Matrix(*at)

    def write(self) -> None:
        """Write the function."""
        f, at, size = self.f, self.at, int_(self.size)
        single = f.new_label("single")
        self._unless(f.icmp("eq", at.to_step, size), single)
        with self._case(f.icmp("eq", at.step, size)):
            self._by_length(self._copy_long, self._copy_short)
        for condition, function in self.weave.cases(f, at):
            with self._case(condition):
                f.call(function, "void", *at)
                f.ret()
        with self._case(f.icmp("eq", at.step, int_(0))):
            self._by_length(self._repeat_long, self._repeat_short)
        self._unless(f.icmp("eq", at.pitch, size), single)
        pitch, to_pitch = (f.binary("sdiv", pitch, size) for pitch in (at.step, at.to_pitch))
        f.call(self.turn.symbol, "void", at.source, pitch, at.to, to_pitch, at.columns, at.rows)
        f.ret()
        f.start(single)
        self._one_by_one()
        f.finish()

    def _unless(self, condition: V, elsewhere: str) -> None:
        """Go elsewhere, or on if the i1 holds."""
        here = self.f.new_label("here")
        self.f.branch(condition, here, elsewhere)
        self.f.start(here)

    @contextmanager
    def _case(self, condition: V) -> Iterator[None]:
        """What is written inside, which returns, is done if the i1 holds."""
        then, otherwise = self.f.new_label("then"), self.f.new_label("else")
        self.f.branch(condition, then, otherwise)
        self.f.start(then)
        yield
        self.f.start(otherwise)

    # ---- rows of dense bytes

    def _by_length(self, long: Write, short: Callable[[V, V, V, int, int], None]) -> None:
        """All rows, and return: long ones, or those that some vectors, or parts of one, cover."""
        f, whole = self.f, self.vector_bytes
        size = f.mul(self.at.columns, int_(self.size))
        with self._case(f.icmp("sgt", size, int_(4 * whole))):
            with self._each_row() as (at, to):
                long(at, to, size)
            f.ret()
        covers = [(2 * whole + 1, whole, 4), (whole + 1, whole, 2), (whole, whole, 1)]
        width = whole // 2
        while width >= self.size:
            covers.append((width, width, 2))
            width //= 2
        for least, width, count in covers:
            with self._case(f.icmp("sge", size, int_(least))):
                with self._each_row() as (at, to):
                    short(at, to, size, width, count)
                f.ret()
        f.ret()

    @contextmanager
    def _each_row(self) -> Iterator[tuple[V, V]]:
        f = self.f
        with f.loop(int_(0), self.at.rows, 1, [self.at.source, self.at.to]) as loop:
            at, to = loop.carried
            yield at, to
            loop.next(f.gep(at, self.at.pitch, "i8"), f.gep(to, self.at.to_pitch, "i8"))

    def _copy_long(self, at: V, to: V, size: V) -> None:
        f, whole = self.f, self.vector_bytes
        if whole <= _HALF_BYTES:
            self._copy_by(at, to, size, whole)
            return
        far, near, done = (f.new_label(name) for name in ("far", "near", "copied"))
        f.branch(self.far, far, near)
        for label, width in ((far, _HALF_BYTES), (near, whole)):
            f.start(label)
            self._copy_by(at, to, size, width)
            f.jump(done)
        f.start(done)

    def _copy_by(self, at: V, to: V, size: V, width: int) -> None:
        f = self.f
        type_ = vector_of("i8", width)
        many = _COPIES * width
        with f.loop(int_(0), f.sub(size, int_(many - 1)), many) as blocks:
            places = [f.add(blocks.index, int_(n * width)) for n in range(_COPIES)]
            values = [f.load(f.gep(at, place, "i8"), type_, 1) for place in places]
            for value, place in zip(values, places, strict=True):
                f.store(value, f.gep(to, place, "i8"), 1)
        last = f.sub(size, int_(width))
        with f.loop(blocks.index, size, width) as single:
            place = f.smin(single.index, last)
            f.store(f.load(f.gep(at, place, "i8"), type_, 1), f.gep(to, place, "i8"), 1)

    def _copy_short(self, at: V, to: V, size: V, width: int, count: int) -> None:
        f, type_ = self.f, f"i{8 * width}" if width <= 8 else vector_of("i8", width)
        places = self._ends(size, width, count)
        values = [f.load(f.gep(at, place, "i8"), type_, 1) for place in places]
        for value, place in zip(values, places, strict=True):
            f.store(value, f.gep(to, place, "i8"), 1)

    def _ends(self, size: V, width: int, count: int) -> list[V]:
        """Where vectors lie that begin with the row, and as many that end with it; or the only one."""
        if count == 1:
            return [int_(0)]
        steps = range(0, width * count // 2, width)
        return [*map(int_, steps), *(self.f.sub(size, int_(width + step)) for step in steps)]

    def _repeat_long(self, at: V, to: V, size: V) -> None:
        f, width = self.f, self.vector_bytes
        vector = self._spread(at, width)
        last = f.sub(size, int_(width))
        with f.loop(int_(0), size, width) as loop:
            f.store(vector, f.gep(to, f.smin(loop.index, last), "i8"), 1)

    def _repeat_short(self, at: V, to: V, size: V, width: int, count: int) -> None:
        vector = self._spread(at, width)
        for place in self._ends(size, width, count):
            self.f.store(vector, self.f.gep(to, place, "i8"), 1)

    def _spread(self, at: V, width: int) -> V:
        """The element at a place, as often as it fits into so many bytes."""
        return self.f.splat(self.f.load(at, f"i{8 * self.size}", 1), width // self.size)

    # ---- single elements

    def _one_by_one(self) -> None:
        f, type_ = self.f, f"i{8 * self.size}"
        with self._each_row() as row:
            many = f.sub(self.at.columns, int_(_SINGLES - 1))
            with f.loop(int_(0), many, _SINGLES, row) as blocks:
                places = [blocks.carried]
                for _ in range(_SINGLES):
                    at, to = places[-1]
                    places.append([f.gep(at, self.at.step, "i8"), f.gep(to, self.at.to_step, "i8")])
                values = [f.load(at, type_, 1) for at, _ in places[:-1]]
                for value, (_, to) in zip(values, places, strict=False):
                    f.store(value, to, 1)
                blocks.next(*places[-1])
            with f.loop(blocks.index, self.at.columns, 1, blocks.carried) as rest:
                at, to = rest.carried
                f.store(f.load(at, type_, 1), to, 1)
                rest.next(f.gep(at, self.at.step, "i8"), f.gep(to, self.at.to_step, "i8"))
        f.ret()
