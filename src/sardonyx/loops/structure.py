"""What two kernels have in common that do the same to other buffers and with other numbers.

That is all but names, origins, storages and the numbers that they are told in words. Must not know what a
kernel becomes.
"""

from __future__ import annotations

from collections.abc import Hashable

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


def structure(kernel: Kernel) -> tuple[Hashable, Parts]:
    """A key that equal kernels share, and what they may have of their own.

    Sizes are part of it as expressions, literals as numbers.
    """
    seen = _Seen()
    outer = tuple(map(seen.axis, kernel.outer))
    body = tuple(seen.statement(s) for s in kernel.body)
    ends = tuple(None if a is None else seen.axis(a) for a in (kernel.vector, kernel.cross))
    rows = tuple(seen.parts)
    return (kernel.form, kernel.serial, outer, ends, body, rows, seen.shared()), Parts(
        tuple(seen.buffers), tuple(seen.told)
    )


class _Seen:
    """Numbers axes, buffers and expressions in the order in which they are first met."""

    def __init__(self) -> None:
        self.axes: dict[Axis, int] = {}
        self.buffers: dict[Buffer, int] = {}
        self.numbers: dict[int, int] = {}
        self.told: dict[Told, int] = {}
        self.parts: list[Hashable] = []

    def axis(self, axis: Axis) -> Hashable:
        return self.axes.setdefault(axis, len(self.axes)), axis.extent

    def affine(self, at: Affine) -> Hashable:
        return at.const, tuple((self.axis(axis), factor) for axis, factor in at.terms)

    def buffer(self, buffer: Buffer) -> Hashable:
        number = self.buffers.setdefault(buffer, len(self.buffers))
        return number, buffer.role, buffer.dtype.name, buffer.size

    def shared(self) -> Hashable:
        """Which buffers are one storage."""
        storages: dict[int, int] = {}
        return tuple(storages.setdefault(id(b.key), len(storages)) for b in self.buffers if b.key is not None)

    def picks(self, picks: tuple[Pick, ...]) -> Hashable:
        return tuple((self.expr(p.index), p.stride, p.extent) for p in picks)

    def statement(self, statement: Statement) -> Hashable:
        if isinstance(statement, Reduce):
            row: Hashable = (statement.op, tuple(map(self.axis, statement.axes)), self.expr(statement.expr))
            self.numbers[id(statement.result)] = len(self.parts)
            self.parts.append(("result", statement.result.dtype.name))
            return row, statement.last
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
                place = self.told.setdefault(expr.told, len(self.told))
                return "number", kind, place, expr.value > 0
            case Literal():
                return "literal", kind, repr(expr.value)
            case Position():
                return "position", kind, self.affine(expr.at)
        raise AssertionError(f"{expr} is read before it is computed")
