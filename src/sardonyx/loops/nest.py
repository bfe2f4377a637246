"""`Kernel`: one loop nest over buffers, as frozen data. Knows sizes and primitives; must not know LLVM.

kernel k3 (b0: f32, b1: f32) -> b2
  parallel i0 in N, i1 in 128
    r0 = max over j in 64 of b0[i0*8192 + i1*64 + j]
    store b2[...] for j in 64 = exp(b0[...] - r0)
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Sequence
from math import frexp
from typing import Any, TypeAlias

from sardonyx.base import dim as dims
from sardonyx.base.abi import Bits, number_bits
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import F32, F64, I32, DType
from sardonyx.base.named import NamedTuple


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One loop: its extent; `name` is for people."""

    name: str
    extent: Dim


@dataclass(frozen=True, slots=True)
class Affine:
    """const + sum of factor * axis, in elements or positions."""

    const: Dim = 0
    terms: tuple[tuple[Axis, Dim], ...] = ()

    def __add__(self, other: Affine) -> Affine:
        table = dict(self.terms)
        for axis, factor in other.terms:
            table[axis] = table.get(axis, 0) + factor
        return Affine(self.const + other.const, tuple((a, f) for a, f in table.items() if f != 0))

    def scale(self, factor: Dim) -> Affine:
        """This times a size."""
        if factor == 1:
            return self
        if factor == 0:
            return Affine()
        return Affine(self.const * factor, tuple((a, f * factor) for a, f in self.terms))

    def shift(self, offset: Dim) -> Affine:
        """This plus a size."""
        return self if offset == 0 else Affine(self.const + offset, self.terms)

    def factor(self, axis: Axis) -> Dim:
        """The factor of an axis; 0 if it does not occur."""
        for term, factor in self.terms:
            if term is axis:
                return factor
        return 0

    @property
    def axes(self) -> frozenset[Axis]:
        """The axes that occur."""
        return frozenset(a for a, _ in self.terms)


def along(axis: Axis) -> Affine:
    """The axis itself."""
    return Affine(0, ((axis, 1),))


Role: TypeAlias = typing.Literal["in", "out", "tile", "scratch"]
Form: TypeAlias = typing.Literal["loops", "tile", "product", "rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory that a kernel reads or writes.

    `key` says which storage it is (given meaning by the builder of the kernel); None for a tile and for
    scratch: `size` elements for what is kept from one statement to another, of its own at every point.
    """

    name: str
    dtype: DType
    role: Role
    key: Any = None
    size: Dim = 0


class Expr:
    """A value inside a kernel; has `dtype` and `axes`, the loops it changes with."""

    __slots__ = ()
    dtype: DType
    axes: frozenset[Axis]


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expr):
    """A number known at compile time."""

    value: Any
    dtype: DType
    axes: frozenset[Axis] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Number(Literal):
    """A number that a kernel is told in a word: those with other such numbers are the same function."""

    @property
    def told(self) -> Told:
        """The word, and what it stands for."""
        return Told(number_bits(self.value, self.dtype), self.dtype, self.value > 0)


class Told(NamedTuple):
    """A number as a word: two are the same number if bits and type are."""

    bits: Bits
    dtype: DType
    is_positive: bool


_FEW_BITS, _NARROW_BITS = 8, 16


def number(value: Any, dtype: DType) -> Literal:
    """What is told in a word, or stands in the text: all but single and double floats of many digits.

    Numbers of few digits are what formulas are made of.
    """
    if dtype not in (F32, F64) or not _is_moderate(value):
        return Literal(value, dtype)
    digits = frexp(value)[0] * (1 << _FEW_BITS)
    return Literal(value, dtype) if digits == int(digits) else Number(value, dtype)


def _is_moderate(value: float) -> bool:
    """Whether all that `stage` asks of a number is known if it is positive; 0 is told of sums alone."""
    return value == 0 or 1e-18 < abs(value) < 1e18


def operands(prim: str, args: Sequence[Expr]) -> tuple[Expr, ...]:
    """The operands of a primitive; numbers in which layers of a model differ are told even if of few digits.

    Such are zero points: taken from what came in few bits, added to what was rounded, and multiplied, once,
    with how many products a sum has. By what is known lanes multiply faster.
    """
    first, *rest = args
    if prim == "mul":
        is_once = not any(arg.axes or arg.dtype != I32 for arg in args)
        return tuple(map(_told, args)) if is_once else tuple(args)
    if isinstance(first, Apply):
        was_narrow = first.prim == "cast" and first.args[0].dtype.bits <= _NARROW_BITS
        was_rounded = first.prim == "round" or (first.prim == "cast" and _is_rounded(first.args[0]))
        if (prim == "sub" and was_narrow) or (prim == "add" and was_rounded):
            return first, *map(_told, rest)
    return tuple(args)


def _is_rounded(expr: Expr) -> bool:
    return isinstance(expr, Apply) and expr.prim == "round"


def _told(expr: Expr) -> Expr:
    """A number told in a word, if it is one that may be."""
    if isinstance(expr, Literal) and expr.dtype in (F32, F64, I32) and _is_moderate(expr.value):
        return Number(expr.value, expr.dtype)
    return expr


@dataclass(frozen=True, slots=True, eq=False)
class Position(Expr):
    """An integer that is affine in the loops (an index, or a size)."""

    at: Affine
    dtype: DType
    axes: frozenset[Axis] = field(default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", self.at.axes)


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """An index read from data: checked against `extent`, negative ones count from the end."""

    index: Expr
    stride: Dim
    extent: Dim


@dataclass(frozen=True, slots=True, eq=False)
class Load(Expr):
    """buffer[at + picks]; out-of-range picks stop the run with an error."""

    buffer: Buffer
    at: Affine
    dtype: DType
    picks: tuple[Pick, ...] = ()
    axes: frozenset[Axis] = field(default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", self.at.axes.union(*(p.index.axes for p in self.picks)))


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Expr):
    """A map primitive over expressions."""

    prim: str
    args: tuple[Expr, ...]
    dtype: DType
    axes: frozenset[Axis] = field(default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", frozenset().union(*(a.axes for a in self.args)))


@dataclass(frozen=True, slots=True, eq=False)
class Reduced(Expr):
    """The result of a `Reduce` statement."""

    name: str
    dtype: DType
    axes: frozenset[Axis]


class _Evaluation:
    """What statements have in common."""

    __slots__ = ("_exprs",)
    _exprs: tuple[Expr, ...]

    @property
    def exprs(self: Statement) -> tuple[Expr, ...]:  # type: ignore[misc]
        """All that a statement evaluates, each once, operands first; sought once."""
        try:
            return self._exprs
        except AttributeError:
            object.__setattr__(self, "_exprs", tuple(walk(roots(self))))
            return self._exprs


@dataclass(frozen=True, slots=True, eq=False)
class Reduce(_Evaluation):
    """result = op over `axes` of `expr`; op is sum, prod, rmax, rmin, argmax or argmin.

    A `plain` rmax may lose NaN: what is computed from it is NaN then for another reason.
    """

    result: Reduced
    op: str
    axes: tuple[Axis, ...]
    expr: Expr
    last: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Store(_Evaluation):
    """buffer[at] = expr, for all of `axes` (inside the outer loops)."""

    buffer: Buffer
    at: Affine
    axes: tuple[Axis, ...]
    expr: Expr
    picks: tuple[Pick, ...] = ()
    reduction: str = "none"


Statement: TypeAlias = Reduce | Store


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Statements run for every point of the `outer` axes, in order.

    `form` "loops": a kernel of its own, outer axes split over threads. "tile": the epilogue of a
    contraction, called for a block of the last two outer axes (row, column); the block is the buffer
    whose role is "tile". "product": the same, but the axes before row and column come as one flat number.
    "rows": computes whole rows of a product in place: called for a block of the last outer axis (row), whose
    columns are the axis of its statements; the axes before come as one flat number.

    `vector` is the axis that lanes run along. `cross` is the one along which some accesses are contiguous
    that lanes would have to gather: an outer axis, of which squares are transposed, or a short axis of the
    statements, which is written out.
    """

    name: str
    outer: tuple[Axis, ...]
    body: tuple[Statement, ...]
    origins: tuple[str, ...]
    form: Form = "loops"
    vector: Axis | None = None
    cross: Axis | None = None
    serial: bool = False

    def buffers(self) -> list[Buffer]:
        """All buffers, in order of first use."""
        found: dict[Buffer, None] = {}
        for statement in self.body:
            for expr in statement.exprs:
                if isinstance(expr, Load):
                    found.setdefault(expr.buffer)
            if isinstance(statement, Store):
                found.setdefault(statement.buffer)
        return list(found)


def roots(statement: Statement) -> list[Expr]:
    """The expressions a statement evaluates."""
    if isinstance(statement, Store):
        return [statement.expr, *(p.index for p in statement.picks)]
    return [statement.expr]


def children(expr: Expr) -> tuple[Expr, ...]:
    """Direct operands."""
    if isinstance(expr, Apply):
        return expr.args
    if isinstance(expr, Load) and expr.picks:
        return tuple(p.index for p in expr.picks)
    return ()


def walk(exprs: Iterable[Expr]) -> Iterator[Expr]:
    """Every expression below, each once, operands first."""
    seen: set[int] = set()
    stack: list[Expr | None] = [*exprs]
    stack.reverse()
    while stack:
        expr = stack.pop()
        if expr is None:
            # What is below the mark has had its operands.
            yield stack.pop()  # type: ignore[misc]
        elif (key := id(expr)) not in seen:
            seen.add(key)
            if operands := children(expr):
                stack += (expr, None, *operands[::-1])
            else:
                yield expr


def joined(body: Sequence[Statement]) -> list[list[Statement]]:
    """Runs of neighbouring statements that share their loops: none needs what another one makes."""
    groups: list[list[Statement]] = []
    for statement in body:
        if groups and _can_join(groups[-1], statement):
            groups[-1].append(statement)
        else:
            groups.append([statement])
    return groups


def _can_join(group: Sequence[Statement], other: Statement) -> bool:
    if group[0].axes != other.axes:
        return False
    if not other.axes:
        return True
    made = {s.result.name for s in group if isinstance(s, Reduce)}
    written = {s.buffer for s in group if isinstance(s, Store)}
    return not any(
        (isinstance(e, Reduced) and e.name in made) or (isinstance(e, Load) and e.buffer in written)
        for e in other.exprs
    )


def trip_count(axes: Iterable[Axis]) -> Dim:
    """The number of points of some axes."""
    return dims.product(a.extent for a in axes)
