"""The argument words of a kernel: what each means, and its value in the function that is written.

Decides which sizes, strides and numbers are words, in which order, and which are literals.
Must not know what is computed from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.llvm import convert
from sardonyx.llvm.vec import Function, V, int_
from sardonyx.loops.nest import (
    Affine,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Load,
    Number,
    Pick,
    Position,
    Store,
    Told,
)

LITERAL = 64
"""Integers up to this size stand in the text; larger ones are argument words."""
NARROW_STEPS = range(2, 5)
"""Distances between lanes at which whole vectors are loaded and the wanted elements picked out."""


@dataclass(frozen=True, slots=True)
class Word:
    """One argument word: the address of element `dim` of `buffer`, or the integer `dim` without one.

    Of a number those are its bits.
    """

    buffer: Buffer | None
    dim: Dim
    number: Told | None = None


class Words:
    """The words of one kernel, loaded at its entry.

    Args:
        function: the function that is written.
        args: the pointer to its words.
        kernel: what it computes.
        lanes: elements in a vector.
        told: the outer axes along which strides are words, though they are known.
        sized: the axes of statements whose extents are words, though they are known.
        rows: where the rows of scratch memory begin, in bytes.
    """

    def __init__(
        self,
        function: Function,
        args: V,
        kernel: Kernel,
        lanes: int,
        told: frozenset[Axis],
        sized: frozenset[Axis],
        rows: Mapping[Buffer, Dim],
    ) -> None:
        self.f = function
        self.listed: list[Word] = []
        self.form: list[str] = []
        self._args = args
        self._kernel = kernel
        self._lanes = lanes
        self._told = told
        self._sized = sized
        self._rows = rows
        self._values: dict[tuple[int, Dim], V] = {}
        self._numbers: dict[Told, V] = {}
        self._extents: dict[Axis, V] = {}
        self._strides: dict[tuple[Axis, Dim], V] = {}

    # ---- values

    def word(self, buffer: Buffer | None, dim: Dim) -> V:
        """The value of a word; small integers are literals."""
        value = self._values.get((id(buffer) if buffer else 0, dim))
        if value is None:
            raise AssertionError(f"word {dim} was not declared")
        return value

    def extent(self, axis: Axis) -> V:
        """The extent of an axis."""
        return self._extents.get(axis) or self.word(None, axis.extent)

    def is_sized(self, axis: Axis) -> bool:
        """Whether loops over an axis of statements are those for any extent."""
        return axis in self._sized

    def own(self, dim: Dim) -> V:
        """An integer in a word of its own, unless it is small: kernels that differ in it are one text."""
        return self._seen(_literal(dim) or self._new("i64", None, dim))

    def step(self, at: Affine, axis: Axis | None) -> V:
        """By how many elements an address moves with an axis."""
        factor: Dim = at.factor(axis) if axis is not None else 0
        if axis is None or factor == 0:
            return int_(0)
        return self._strides.get((axis, factor)) or self.word(None, factor)

    def number(self, number: Number) -> V:
        """The value of the word that tells a number."""
        return self._numbers[number.told]

    # ---- declarations

    def declare(self) -> None:
        """Load every pointer, stride and extent that the kernel needs, in a fixed order."""
        for statement in self._kernel.body:
            for expr in statement.exprs:
                self._declare_expr(expr)
            if isinstance(statement, Store):
                self._declare_access(statement.buffer, statement.at)
                self._declare_picks(statement.picks)
            for axis in statement.axes:
                if axis not in self._sized:
                    self._declare(None, axis.extent)
                elif axis not in self._extents:
                    self._extents[axis] = self._seen(self._new("i64", None, axis.extent))
        for axis in self._kernel.outer:
            if self._kernel.form == "loops" or axis in self.flat_axes[1:]:
                self._declare_extent(axis)

    @property
    def flat_axes(self) -> tuple[Axis, ...]:
        """The outer axes that come as one flat number."""
        own = {"product": 2, "rows": 1}.get(self._kernel.form)
        return self._kernel.outer[:-own] if own else ()

    def _declare_expr(self, expr: Expr) -> None:
        if isinstance(expr, Load):
            self._declare_access(expr.buffer, expr.at)
            self._declare_picks(expr.picks)
        elif isinstance(expr, Number):
            self._declare_number(expr)
        elif isinstance(expr, Position):
            self._declare(None, expr.at.const)
            for _, factor in expr.at.terms:
                self._declare(None, factor)

    def _declare_access(self, buffer: Buffer, at: Affine) -> None:
        if buffer.role != "tile":
            if buffer.role == "scratch":
                self._declare(None, self._rows[buffer])
            else:
                self._declare(buffer, at.const)
            for axis, factor in at.terms:
                self._declare_stride(axis, factor)

    def _declare_picks(self, picks: Iterable[Pick]) -> None:
        for pick in picks:
            self._declare(None, pick.stride)
            self._declare(None, pick.extent)
            self.form.append(str(is_narrow(pick)))

    def _declare_extent(self, axis: Axis) -> None:
        """In a word of its own, unless lanes run along few points of the axis."""
        has_lanes = axis in (self._kernel.vector, self._kernel.cross)
        if not isinstance(axis.extent, int) or (has_lanes and axis.extent <= self._lanes):
            self._declare(None, axis.extent)
        else:
            self._extents[axis] = self._seen(self._new("i64", None, axis.extent))

    def _declare_stride(self, axis: Axis, factor: Dim) -> None:
        """In a word of the axis, unless it decides how lanes or windows are read."""
        if not self._is_told(axis, factor):
            self._declare(None, factor)
        else:
            if (axis, factor) not in self._strides:
                self._strides[axis, factor] = self._new("i64", None, factor)
            self._seen(self._strides[axis, factor])

    def _is_told(self, axis: Axis, factor: Dim) -> bool:
        if axis not in self._told or not isinstance(factor, int) or factor in (-1, 0, 1, *NARROW_STEPS):
            return False
        cross = self._kernel.cross
        is_row = axis is self._kernel.vector and cross is not None and cross not in self._kernel.outer
        return not (is_row and cross is not None and factor == cross.extent)

    def _declare_number(self, number: Number) -> None:
        told = number.told
        if told not in self._numbers:
            self._numbers[told] = self._new(convert.memory_type(told.dtype), None, told.bits, told)

    def _declare(self, buffer: Buffer | None, dim: Dim) -> None:
        key = (id(buffer) if buffer else 0, dim)
        if key not in self._values:
            small = _literal(dim) if buffer is None else None
            self._values[key] = small or self._new("ptr" if buffer else "i64", buffer, dim)
        self._seen(self._values[key])

    def _seen(self, value: V) -> V:
        self.form.append(value.text)
        return value

    def _new(self, type_: str, buffer: Buffer | None, dim: Dim, number: Told | None = None) -> V:
        self.listed.append(Word(buffer, dim, number))
        return self.f.word(self._args, len(self.listed) - 1, type_)


def is_narrow(pick: Pick) -> bool:
    """Whether an index of 32 bits, counted from the end too, leads no farther than these can say."""
    known = isinstance(pick.extent, int) and pick.extent < 1 << 31
    return known and pick.stride == 1 and pick.index.dtype is dt.I32


def _literal(dim: Dim) -> V | None:
    """A small integer, which stands in the text."""
    return int_(dim) if isinstance(dim, int) and abs(dim) <= LITERAL else None
