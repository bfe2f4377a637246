"""What two kernels have in common that do the same to other buffers, with other numbers and for other sizes.

That is all but names, origins, storages, sizes and the numbers that they are told in words. Must not know
what a kernel becomes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from sardonyx.base.dim import Dim
from sardonyx.base.named import NamedTuple
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Number,
    Pick,
    Position,
    Reduce,
    Statement,
    Told,
)


class Parts(NamedTuple):
    """What takes the same part in kernels of one structure, in order."""

    buffers: tuple[Buffer, ...]
    numbers: tuple[Told, ...]
    axes: tuple[Axis, ...]
    sizes: tuple[Dim, ...]


def structure(kernel: Kernel) -> tuple[Hashable, Parts]:
    """A key that equal kernels share, and what they may have of their own.

    Literals are part of it as numbers.
    """
    seen = _Seen()
    outer = tuple(map(seen.axis, kernel.outer))
    body = tuple(seen.statement(s) for s in kernel.body)
    ends = tuple(None if a is None else seen.axis(a) for a in (kernel.vector, kernel.cross))
    results = tuple(seen.known(s.result.axes) for s in kernel.body if isinstance(s, Reduce))
    key = kernel.form, kernel.serial, outer, ends, body, tuple(seen.parts), results, seen.shared()
    return key, Parts(tuple(seen.buffers), tuple(seen.told), tuple(seen.axes), tuple(seen.sizes))


class _Seen:
    """Numbers axes, buffers and expressions in the order in which they are first met."""

    def __init__(self) -> None:
        self.axes: dict[Axis, int] = {}
        self.buffers: dict[Buffer, int] = {}
        self.numbers: dict[int, int] = {}
        self.told: dict[Told, int] = {}
        self.parts: list[Hashable] = []
        self.sizes: list[Dim] = []

    def axis(self, axis: Axis) -> int:
        if axis not in self.axes:
            self.sizes.append(axis.extent)
        return self.axes.setdefault(axis, len(self.axes))

    def known(self, axes: Iterable[Axis]) -> frozenset[int]:
        """The numbers of axes, of those that are met anywhere."""
        return frozenset([self.axes[axis] for axis in axes if axis in self.axes])

    def affine(self, at: Affine) -> Hashable:
        self.sizes.append(at.const)
        self.sizes += [factor for _, factor in at.terms]
        return tuple([self.axis(axis) for axis, _ in at.terms])

    def buffer(self, buffer: Buffer) -> Hashable:
        if buffer not in self.buffers:
            self.sizes.append(buffer.size)
        number = self.buffers.setdefault(buffer, len(self.buffers))
        return number, buffer.role, buffer.dtype.name

    def shared(self) -> Hashable:
        """Which buffers are one storage."""
        storages: dict[int, int] = {}
        return tuple(storages.setdefault(id(b.key), len(storages)) for b in self.buffers if b.key is not None)

    def picks(self, picks: tuple[Pick, ...]) -> Hashable:
        for pick in picks:
            self.sizes += (pick.stride, pick.extent)
        return tuple([self.expr(p.index) for p in picks])

    def statement(self, statement: Statement) -> Hashable:
        if isinstance(statement, Reduce):
            row: Hashable = (statement.op, tuple(map(self.axis, statement.axes)), self.expr(statement.expr))
            self.numbers[id(statement.result)] = len(self.parts)
            self.parts.append(("result", statement.result.dtype.name))
            return row, statement.last, statement.plain
        where = self.buffer(statement.buffer), self.affine(statement.at), self.picks(statement.picks)
        axes = tuple(map(self.axis, statement.axes))
        return where, axes, self.expr(statement.expr), statement.reduction

    def expr(self, expr: Expr) -> int:
        """The number of an expression; shared ones have one."""
        found = self.numbers.get(id(expr))
        if found is None:
            part = self.part(expr)
            found = self.numbers[id(expr)] = len(self.parts)
            self.parts.append(part)
        return found

    def part(self, expr: Expr) -> Hashable:
        kind = expr.dtype.name
        match expr:
            case Apply():
                return expr.prim, kind, tuple(map(self.expr, expr.args))
            case Load():
                return "load", kind, self.buffer(expr.buffer), self.affine(expr.at), self.picks(expr.picks)
            case Number():
                return "number", kind, self.told.setdefault(expr.told, len(self.told))
            case Literal():
                return "literal", kind, repr(expr.value)
            case Position():
                return "position", kind, self.affine(expr.at)
        raise AssertionError(f"{expr} is read before it is computed")
