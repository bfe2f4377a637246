"""Prints a kernel as nested loops, with names that depend on nothing but its structure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Statement,
    Store,
    children,
)

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "lt": "<", "le": "<="}


def text(kernel: Kernel) -> str:
    """The loops and statements of a kernel.

    kernel mul v3 (b0: f32) -> b1: f32  # Softmax_1
      for i0 in N, i1 in 64 by lanes:
        r0 = rmax over r1 in 128 of b0[8192*i0+128*i1+r1]
        for r1 in 128: b1[8192*i0+128*i1+r1] = exp(b0[8192*i0+128*i1+r1] - r0)
    """
    return _Printer(kernel).text()


class _Printer:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        inner = [axis for s in kernel.body for axis in s.axes if axis not in kernel.outer]
        self.axes = {axis: f"i{n}" for n, axis in enumerate(kernel.outer)}
        self.axes |= {axis: f"r{n}" for n, axis in enumerate(dict.fromkeys(inner))}
        self.buffers = {b: b.name if b.role == "tile" else f"b{n}" for n, b in enumerate(kernel.buffers())}
        self.reduced: dict[str, str] = {}
        self.shared: dict[int, str] = {}

    def text(self) -> str:
        written = dict.fromkeys(s.buffer for s in self.kernel.body if isinstance(s, Store))
        read = [b for b in self.buffers if b not in written]
        origins = f"  # {', '.join(self.kernel.origins)}" if self.kernel.origins else ""
        form = "" if self.kernel.form == "loops" else f"{self.kernel.form} "
        head = f"{form}kernel ({self._buffers(read)}) -> {self._buffers(written)}{origins}"
        lines = [head]
        indent = "  "
        if self.kernel.outer:
            serial = "in order " if self.kernel.serial else ""
            lines.append(f"{indent}for {serial}{self._ranges(self.kernel.outer)}:")
            indent += "  "
        for statement in self.kernel.body:
            lines += [indent + line for line in self._statement(statement)]
        return "\n".join(lines)

    def _buffers(self, buffers: Iterable[Buffer]) -> str:
        return ", ".join(f"{self.buffers[b]}: {b.dtype}" for b in buffers)

    def _ranges(self, axes: Sequence[Axis]) -> str:
        marks = {self.kernel.vector: " by lanes", self.kernel.cross: " crossed"}
        return ", ".join(f"{self.axes[a]} in {a.extent}{marks.get(a, '')}" for a in axes)

    def _statement(self, statement: Statement) -> list[str]:
        lines = self._common(statement)
        over = self._ranges(statement.axes)
        if isinstance(statement, Reduce):
            name = self.reduced.setdefault(statement.result.name, f"s{len(self.reduced)}")
            last = " last" if statement.last else " plain" if statement.plain else ""
            lines.append(f"{name} = {statement.op}{last} over {over} of {self._expr(statement.expr)}")
            return lines
        loop = f"for {over}: " if statement.axes else ""
        sign = "=" if statement.reduction == "none" else f"{statement.reduction}="
        place = self._place(statement.buffer, statement.at, statement.picks)
        lines.append(f"{loop}{place} {sign} {self._expr(statement.expr)}")
        return lines

    def _common(self, statement: Statement) -> list[str]:
        """Definitions of the expressions that the statement uses more than once."""
        uses: dict[int, int] = {}
        below = list(statement.exprs)
        for expr in below:
            for child in children(expr):
                uses[id(child)] = uses.get(id(child), 0) + 1
        lines = []
        for expr in below:
            if uses.get(id(expr), 0) > 1 and isinstance(expr, Apply) and id(expr) not in self.shared:
                body = self._expr(expr)
                self.shared[id(expr)] = f"t{len(self.shared)}"
                lines.append(f"{self.shared[id(expr)]} = {body}")
        return lines

    def _expr(self, expr: Expr) -> str:
        if id(expr) in self.shared:
            return self.shared[id(expr)]
        if isinstance(expr, Literal):
            return f"{expr.value:.9g}" if isinstance(expr.value, float) else str(expr.value)
        if isinstance(expr, Position):
            return f"{expr.dtype}({self._affine(expr.at)})"
        if isinstance(expr, Load):
            return self._place(expr.buffer, expr.at, expr.picks)
        if isinstance(expr, Reduced):
            return self.reduced.get(expr.name, expr.name)
        assert isinstance(expr, Apply)
        args = [self._expr(a) for a in expr.args]
        if expr.prim in _INFIX:
            return f"({args[0]} {_INFIX[expr.prim]} {args[1]})"
        if expr.prim == "cast":
            return f"{expr.dtype}({args[0]})"
        return f"{expr.prim}({', '.join(args)})"

    def _place(self, buffer: Buffer, at: Affine, picks: Sequence[Pick]) -> str:
        picked = "".join(f" + {_factor(p.stride)}{self._expr(p.index)}|{p.extent}|" for p in picks)
        return f"{self.buffers[buffer]}[{self._affine(at)}{picked}]"

    def _affine(self, at: Affine) -> str:
        parts = [f"{_factor(factor)}{self.axes.get(axis, axis.name)}" for axis, factor in at.terms]
        if at.const != 0 or not parts:
            parts.append(str(at.const))
        return "+".join(parts).replace("+-", "-")


def _factor(factor: Dim) -> str:
    if factor == 1:
        return ""
    text = str(factor)
    return f"({text})*" if isinstance(factor, dims.Expr) and len(factor.terms) > 1 else f"{text}*"
