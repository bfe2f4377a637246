"""Checks the invariants of a kernel; run between stages when tracing asks for it."""

from __future__ import annotations

from collections.abc import Collection

from sardonyx.base import dim as dims
from sardonyx.errors import CompileError
from sardonyx.ir.prims import PRIMS
from sardonyx.loops.nest import Apply, Axis, Expr, Kernel, Load, Position, Reduce, Reduced, Store

_REDUCTIONS = frozenset({"sum", "prod", "rmax", "rmin", "argmax", "argmin"})
_UPDATES = frozenset({"none", "add", "mul", "max", "min"})


def verify(kernel: Kernel) -> None:
    """Raise CompileError naming the first statement that breaks an invariant."""
    if len(set(kernel.outer)) != len(kernel.outer):
        raise CompileError(f"{kernel.name}: an axis comes twice")
    known: set[str] = set()
    for number, statement in enumerate(kernel.body):
        where = f"{kernel.name}, statement {number}"
        if shared := set(statement.axes) & set(kernel.outer):
            raise CompileError(f"{where}: loops again over {', '.join(a.name for a in shared)}")
        inside = {*kernel.outer, *statement.axes}
        for expr in statement.exprs:
            _check(expr, inside, known, where)
        if isinstance(statement, Reduce):
            _check_reduce(statement, where)
            known.add(statement.result.name)
        else:
            _check_store(statement, inside, where)
    if not any(isinstance(s, Store) for s in kernel.body):
        raise CompileError(f"{kernel.name}: nothing is stored")
    axes = {*kernel.outer, *(axis for s in kernel.body for axis in s.axes)}
    if kernel.vector is not None and kernel.vector not in axes:
        raise CompileError(f"{kernel.name}: lanes run along no axis of it")
    for axis in axes:
        if dims.lower_bound(axis.extent) is not None and (dims.lower_bound(axis.extent) or 0) < 0:
            raise CompileError(f"{kernel.name}: axis {axis.name} may have a negative extent {axis.extent}")


def _check(expr: Expr, inside: Collection[Axis], known: Collection[str], where: str) -> None:
    if stray := [a.name for a in expr.axes if a not in inside]:
        raise CompileError(
            f"{where}: {type(expr).__name__} varies with {', '.join(stray)}, which is not a loop"
        )
    if isinstance(expr, Reduced) and expr.name not in known:
        raise CompileError(f"{where}: {expr.name} is used before it is computed")
    if isinstance(expr, Apply) and (expr.prim not in PRIMS or PRIMS[expr.prim].kind != "map"):
        raise CompileError(f"{where}: {expr.prim} is not a map")
    if isinstance(expr, Load) and expr.buffer.dtype is not expr.dtype:
        raise CompileError(f"{where}: {expr.dtype} is loaded from a buffer of {expr.buffer.dtype}")
    if isinstance(expr, Position) and not expr.dtype.is_native:
        raise CompileError(f"{where}: a position of type {expr.dtype}")


def _check_reduce(statement: Reduce, where: str) -> None:
    if statement.op not in _REDUCTIONS:
        raise CompileError(f"{where}: {statement.op} is not a reduction")
    if set(statement.result.axes) & set(statement.axes):
        raise CompileError(f"{where}: its result still changes with a reduced axis")


def _check_store(statement: Store, inside: Collection[Axis], where: str) -> None:
    if stray := [a.name for a in statement.at.axes if a not in inside]:
        raise CompileError(f"{where}: the address changes with {', '.join(stray)}, which is not a loop")
    if statement.buffer.role not in ("out", "scratch", "tile"):
        raise CompileError(f"{where}: stores into a buffer that is {statement.buffer.role}")
    if statement.reduction not in _UPDATES:
        raise CompileError(f"{where}: {statement.reduction} is not a way to update")
    if statement.buffer.dtype is not statement.expr.dtype:
        raise CompileError(f"{where}: stores {statement.expr.dtype} in a buffer of {statement.buffer.dtype}")
