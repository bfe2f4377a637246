"""Kernels that only move elements -> calls of the functions for moves that all models share.

Decides which kernels these are, and which axes are rows and columns. Must not know how elements are moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.assumed import assumed
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.emit.turn import Turn, turns
from sardonyx.kernels.arguments import MoveAxis
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.loops import elements, touched, work
from sardonyx.kernels.moves.driver import MOST_AXES, symbol
from sardonyx.loops.cost import SHORT
from sardonyx.loops.nest import Affine, Kernel, Literal, Load, Store

_FEW, _SHORT = 8, 256
"""Rows that are so few, and so short, are not worth a loop of their own."""
_SIZES = (1, 2, 4, 8)
"""Bytes of elements for which there are functions."""
_CONVERTED = (dt.F16, dt.BF16, dt.BOOL)
"""Types whose elements loops hold as others: bits of NaN would change."""


class MovedAxis(NamedTuple):
    """An axis of a move: its extent, and how many elements its points are apart where it reads and writes."""

    extent: Dim
    read: Dim
    written: Dim


def move_call(kernel: Kernel, target: Target) -> tuple[NativeCall, Turn] | None:
    """The call that does what a kernel does, and what it turns matrices with; None if that is not a move."""
    stores = [s for s in kernel.body if isinstance(s, Store) and _is_move(s)]
    sizes = {s.buffer.dtype.size_bytes for s in stores}
    if kernel.form != "loops" or len(stores) < len(kernel.body) or len(sizes) != 1:
        return None
    (size,) = sizes
    found = [_axes(store, kernel) for store in stores]
    width = _beside(found, size) if all(isinstance(store.expr, Load) for store in stores) else 1
    size *= width
    moves = [(store, _ordered(_wider(axes, width))) for store, axes in zip(stores, found, strict=True)]
    if any(len(axes) > MOST_AXES or _is_enlarged(store, axes) for store, axes in moves):
        return None
    (turn,) = (turn for turn in turns(target) if turn.size_bytes == size)
    reads, writes = touched(kernel)
    call = NativeCall(
        symbol(size),
        (len(moves), *(word for store, axes in moves for word in _words(store, axes, size))),
        reads,
        writes,
        kernel.origins,
        work=work(kernel),
        kind="move",
        plan=kernel.name,
        touched=elements(kernel, (*reads, *writes)),
        kernel=kernel,
    )
    return call, turn


def _is_move(store: Store) -> bool:
    expr = store.expr
    is_plain = not store.picks and store.reduction == "none" and expr.dtype is store.buffer.dtype
    return is_plain and (isinstance(expr, Literal) or (isinstance(expr, Load) and not expr.picks))


def _is_enlarged(store: Store, axes: Sequence[MovedAxis]) -> bool:
    """Whether elements of many lines are each written some times side by side, as pictures grow.

    A matrix for each line would be small: a loop nest holds lines of any length in its vectors.
    """
    *others, column = axes
    is_short = isinstance(column.extent, int) and 1 < column.extent <= SHORT
    repeats = column.read == 0 and column.written == 1 and store.buffer.dtype not in _CONVERTED
    along = any(axis.read == 1 and axis.written == column.extent for axis in others)
    return is_short and repeats and along and sum(axis.extent != 1 for axis in others) > 1


def _axes(store: Store, kernel: Kernel) -> list[MovedAxis]:
    """The axes of a statement, as few as there may be."""
    at = store.expr.at if isinstance(store.expr, Load) else Affine()
    found = [
        MovedAxis(a.extent, at.factor(a), store.at.factor(a))
        for a in (*kernel.outer, *store.axes)
        if a.extent != 1
    ]
    return _merged(sorted(found, key=lambda axis: -abs(assumed(axis.written))))


def _beside(moves: Sequence[Sequence[MovedAxis]], size: int) -> int:
    """How many elements stay side by side that make one of a larger size; 1 if they do not."""
    extents = [[a.extent for a in axes if a.read == a.written == 1] for axes in moves]
    width = extents[0][0] if extents[0] else 1
    if not isinstance(width, int) or width * size not in _SIZES or any(e != [width] for e in extents):
        return 1
    steps = (step for axes in moves for a in axes for step in a[1:] if a.read != 1 or a.written != 1)
    are_whole = all(dims.equal(dims.floordiv(step, width) * width, step) for step in steps)
    return width if are_whole else 1


def _wider(axes: Sequence[MovedAxis], width: int) -> Sequence[MovedAxis]:
    """The axes of elements that are so many side by side."""
    if width == 1:
        return axes
    return [
        MovedAxis(a.extent, *(dims.floordiv(step, width) for step in a[1:]))
        for a in axes
        if a.read != 1 or a.written != 1
    ]


def _merged(axes: Iterable[MovedAxis]) -> list[MovedAxis]:
    """Neighbours that run on in memory as one."""
    merged: list[MovedAxis] = []
    for axis in axes:
        if merged and all(
            before == after * axis.extent for before, after in zip(merged[-1][1:], axis[1:], strict=True)
        ):
            axis = axis._replace(extent=merged.pop().extent * axis.extent)
        merged.append(axis)
    return merged


def _ordered(axes: Sequence[MovedAxis]) -> list[MovedAxis]:
    """The axis of columns last, that of rows before it."""
    rest = list(axes)
    column = _first([a for a in rest if a.written == 1], [a for a in rest if a.read == 1], _longest(rest))
    if column in rest:
        rest.remove(column)
    across = [a for a in rest if a.read == 1] if column.read not in (0, 1) else []
    least = 1 if assumed(column.extent) >= _SHORT else _FEW
    near = [a for a in rest[-1:] if assumed(a.extent) >= least]
    row = _first(across, near, _long(rest))
    if row in rest:
        rest.remove(row)
    return [*rest, row, column]


def _first(*choices: Sequence[MovedAxis]) -> MovedAxis:
    """The first there is, or an axis of one point."""
    return next((found[0] for found in choices if found), MovedAxis(1, 0, 0))


def _longest(axes: Sequence[MovedAxis]) -> list[MovedAxis]:
    return sorted(axes, key=lambda axis: -assumed(axis.extent))[:1]


def _long(axes: Sequence[MovedAxis]) -> list[MovedAxis]:
    """Of axes about as long as the longest, that whose points are nearest where they are written."""
    most = max((assumed(axis.extent) for axis in axes), default=0)
    return [axis for axis in axes if 2 * assumed(axis.extent) >= most][-1:]


def _words(store: Store, axes: Sequence[MovedAxis], size: int) -> list[Argument]:
    """The words of `Move` for elements of so many bytes."""
    expr = store.expr
    read: list[Argument]
    if isinstance(expr, Load):
        read = [Address(expr.buffer.key, expr.at.const), 0]
    else:
        assert isinstance(expr, Literal)
        read = [0, _bits(expr)]
    words = [*read, Address(store.buffer.key, store.at.const), len(axes)]
    for axis in axes:
        words += [axis.extent, axis.read * size, axis.written * size]
    assert len(words) == len(read) + 2 + MoveAxis.WORDS * len(axes)
    return words


def _bits(literal: Literal) -> int:
    """The bytes of a number as a word."""
    raw = np.array(literal.value, literal.dtype.numpy).tobytes()
    return int.from_bytes(raw.ljust(8, b"\0"), "little", signed=True)
