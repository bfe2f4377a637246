"""What the parts of a loop nest cost, in instructions for one vector: the numbers behind choices of loops.

Rough on purpose: only large ratios decide. Must not know LLVM.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import mul

from sardonyx.base.assumed import ASSUMED
from sardonyx.ir.prims import PRIMS
from sardonyx.loops.nest import Affine, Apply, Axis, Expr, Kernel, Load, Reduce, Statement, Store, roots, walk

_ASSUMED_BATCH = 16
"""Stands in for an unknown extent of the first axis, which is often a batch of one."""

CONTIGUOUS, INVARIANT = 1.0, 0.25
_TRANSPOSED, _SQUARE, _CUT = 3.0, 80.0, 2.0
"""A vector of a square among many, a square alone, and how much more takes one that is cut off."""
GATHER, SCATTER = 1.5, 2.5
"""For each lane."""
_NEAR, _PICKED_BYTES = 8.0, 4
"""A vector out of two that lie side by side; processors pick elements of up to so many bytes."""
_HORIZONTAL = 10.0
SHORT = 16
"""The longest row that is held in registers, an element of each row a lane."""
WOVEN = (1, 2, 3, 4, 8)
"""Lengths of dense rows that are best taken apart and put together by whole vectors."""

_WRITTEN_OUT = 8
"""The most instructions of expressions that are written out for each column of a square."""


def op_cost(expr: Apply) -> float:
    """Instructions of one map primitive."""
    return PRIMS[expr.prim].instructions(expr.dtype)


def expr_cost(exprs: Iterable[Expr], axes: Collection[Axis] | None = None) -> float:
    """Instructions to evaluate expressions once, each part once; loads count 1, checked ones 6.

    With `axes` only the parts count that change along them.
    """
    total = 0.0
    for expr in walk(exprs):
        if axes is not None and expr.axes.isdisjoint(axes):
            continue
        if isinstance(expr, Apply):
            total += op_cost(expr)
        elif isinstance(expr, Load):
            total += 1 + 5 * len(expr.picks)
    return total


def body_cost(body: Sequence[Statement]) -> float:
    """Instructions for one point of each statement."""
    return expr_cost(e for s in body for e in roots(s)) + len(body)


def extent_of(axis: Axis) -> int:
    """The extent, or a guess; at least 1."""
    return max(1, axis.extent) if isinstance(axis.extent, int) else ASSUMED


def points_of(axes: Iterable[Axis]) -> int:
    """The number of points, or a guess."""
    return reduce(mul, map(extent_of, axes), 1)


def nest_cost(kernel: Kernel, vector: Axis | None, cross: Axis | None, lanes: int) -> float:
    """Instructions of the whole kernel if lanes run along `vector` and transposes go across to `cross`."""
    total = 0.0
    inside = points_of(kernel.outer)
    for statement in kernel.body:
        axes = (*kernel.outer, *statement.axes)
        points = inside * points_of(statement.axes)
        if vector is None or vector not in axes:
            total += points * _point_cost(statement, None, cross, lanes)
            continue
        extent = extent_of(vector)
        rows = points // extent
        total += rows * _row_cost(statement, vector, cross, lanes, _least_extent(kernel, vector))
        if isinstance(statement, Reduce) and vector in statement.axes:
            total += rows * _HORIZONTAL
    return total


def _least_extent(kernel: Kernel, vector: Axis) -> int:
    """How long an axis is at least likely to be."""
    is_batch = len(kernel.outer) > 1 and vector is kernel.outer[0]
    return _ASSUMED_BATCH if is_batch and not isinstance(vector.extent, int) else extent_of(vector)


def _row_cost(statement: Statement, vector: Axis, cross: Axis | None, lanes: int, extent: int) -> float:
    """Instructions for all points of the vector axis, scaled to its extent."""
    vectors = -(-extent // lanes)
    applied = [e for e in statement.exprs if isinstance(e, Apply) and e.axes]
    once = sum(op_cost(e) for e in applied if vector not in e.axes)
    scale = extent_of(vector) / extent
    return scale * (once + vectors * _point_cost(statement, vector, cross, lanes))


def _point_cost(statement: Statement, vector: Axis | None, cross: Axis | None, lanes: int) -> float:
    total = 1.0
    for expr in statement.exprs:
        if isinstance(expr, Apply):
            total += op_cost(expr) if vector is None or vector in expr.axes else 0
        elif isinstance(expr, Load) and expr.buffer.role != "tile":
            total += 3 * len(expr.picks)
            if vector is None:
                total += CONTIGUOUS
            elif any(vector in p.index.axes for p in expr.picks):
                total += _NEAR if may_be_near(expr, vector) else GATHER * lanes
            else:
                total += _access_cost(expr.at, vector, cross, GATHER * lanes, True)
    if isinstance(statement, Store) and vector is not None:
        total += _access_cost(statement.at, vector, cross, SCATTER * lanes, False) + SCATTER * lanes * len(
            statement.picks
        )
    return total


def _access_cost(at: Affine, vector: Axis, cross: Axis | None, separate: float, narrow: bool) -> float:
    """Instructions for one vector: `separate` if every lane is reached alone, fewer for `narrow` steps."""
    stride = at.factor(vector)
    if stride == 0:
        return INVARIANT
    if stride == 1:
        return CONTIGUOUS
    if cross is not None and at.factor(cross) == 1:
        if not is_short(cross) or (stride == cross.extent and cross.extent in WOVEN):
            return _TRANSPOSED
        square = _TRANSPOSED * SHORT if stride == cross.extent else _SQUARE
        is_cut = isinstance(vector.extent, int) and vector.extent < SHORT
        return min(separate, square * (_CUT if is_cut else 1) / extent_of(cross))
    if isinstance(stride, int) and -1 <= stride <= 4 and narrow:
        return 2.0 * abs(stride)
    return separate


def may_be_near(load: Load, vector: Axis | None) -> bool:
    """Whether lanes that data picks lie in one row, where those beside each other likely want neighbours."""
    return (
        vector is not None
        and load.dtype.size_bytes <= _PICKED_BYTES
        and load.at.factor(vector) == 0
        and [p.stride for p in load.picks] == [1]
    )


def is_long(body: Sequence[Statement]) -> bool:
    """Whether expressions are too long to be written out for each column of a square."""
    return expr_cost(e for s in body for e in roots(s)) > _WRITTEN_OUT


def is_short(axis: Axis) -> bool:
    """Whether all points of an axis may be held in registers."""
    return isinstance(axis.extent, int) and axis.extent <= SHORT
