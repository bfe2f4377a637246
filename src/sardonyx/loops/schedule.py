"""Chooses the loop order of a kernel: which axes merge, which one lanes run along, what is transposed."""

from __future__ import annotations

from collections.abc import Iterator

from sardonyx.base.dataclass import replace
from sardonyx.base.target import Target
from sardonyx.loops.cost import extent_of, is_long, is_short, nest_cost
from sardonyx.loops.nest import Affine, Axis, Kernel, Load, Store
from sardonyx.loops.plain import with_plain_maxima
from sardonyx.loops.rewrite import merge_axes
from sardonyx.loops.stage import stage, with_reciprocals

_FEW = 12
"""Elements of a row of which whole formulas are written out."""
_FEW_UPDATES = 4
"""Elements of a row below which one after the other is faster: what was just written is read at once."""


def schedule(kernel: Kernel, target: Target) -> Kernel:
    """The kernel with unit axes dropped, mergeable axes merged and the axes of its vectors chosen."""
    if kernel.form == "rows":
        kernel = replace(with_plain_maxima(kernel), vector=kernel.body[-1].axes[0])
        return stage(with_reciprocals(kernel), target.lanes)
    if kernel.form != "loops":
        return replace(kernel, vector=kernel.outer[-1])
    if kernel.serial:
        kernel = merge_axes(kernel)
        return replace(kernel, vector=kernel.outer[-1]) if _updates_rows(kernel) else kernel
    kernel = with_reciprocals(with_plain_maxima(merge_axes(kernel)))
    choices = [(None, None), *_choices(kernel)]
    costs = [nest_cost(kernel, vector, cross, target.lanes) for vector, cross in choices]
    vector, cross = choices[costs.index(min(costs))]
    kernel = _arranged(kernel, vector, cross)
    return kernel if cross is not None else stage(kernel, target.lanes)


def _updates_rows(kernel: Kernel) -> bool:
    """Whether many elements at points of the last axis lie side by side, however data picks their row."""
    *_, last = (None, *kernel.outer)
    if last is None or (isinstance(last.extent, int) and last.extent < _FEW_UPDATES):
        return False
    return all(
        isinstance(s, Store)
        and not s.axes
        and s.at.factor(last) == 1
        and not any(last in pick.index.axes for pick in s.picks)
        for s in kernel.body
    )


def _choices(kernel: Kernel) -> Iterator[tuple[Axis, Axis | None]]:
    """The possible pairs of an axis for lanes and one to transpose with, inner axes first."""
    axes = list(dict.fromkeys([*kernel.outer, *(a for s in kernel.body for a in s.axes)]))
    for vector in reversed(axes):
        yield vector, None
        if vector in kernel.outer:
            yield from ((vector, cross) for cross in reversed(axes) if _may_cross(kernel, vector, cross))


def _may_cross(kernel: Kernel, vector: Axis, cross: Axis) -> bool:
    if cross is vector:
        return False
    if any(cross in pick.index.axes for load in _loads(kernel) for pick in load.picks):
        return False
    runs = any(at.factor(cross) == 1 and at.factor(vector) not in (0, 1) for at in _plain_accesses(kernel))
    if is_short(cross) and all(s.axes in ((), (cross,)) for s in kernel.body):
        return runs or cross not in kernel.outer
    plain = all(isinstance(s, Store) and not s.axes and not s.picks for s in kernel.body)
    return runs and plain and cross in kernel.outer


def _loads(kernel: Kernel) -> Iterator[Load]:
    return (expr for statement in kernel.body for expr in statement.exprs if isinstance(expr, Load))


def _plain_accesses(kernel: Kernel) -> Iterator[Affine]:
    """The addresses of loads without computed indices, and of stores."""
    yield from (load.at for load in _loads(kernel) if not load.picks)
    yield from (statement.at for statement in kernel.body if isinstance(statement, Store))


def _arranged(kernel: Kernel, vector: Axis | None, cross: Axis | None) -> Kernel:
    """The chosen axes innermost; a short cross axis belongs to the statements, if formulas are short."""
    body = kernel.body
    if cross is not None and _is_written_out(kernel, cross):
        body = tuple(replace(s, axes=(cross,)) for s in body)
    inner = [cross, vector] if any(s.axes for s in body) is False else [vector]
    last = tuple(a for a in inner if a is not None and a in kernel.outer)
    outer = tuple(a for a in kernel.outer if a is not vector and a is not cross)
    return replace(kernel, outer=(*outer, *last), body=body, vector=vector, cross=cross)


def _is_written_out(kernel: Kernel, cross: Axis) -> bool:
    """Whether a cross axis is short, and not too much is computed to stand in the text sixteen times."""
    if cross not in kernel.outer or not is_short(cross) or any(s.axes for s in kernel.body):
        return False
    plain = all(isinstance(s, Store) and not s.picks for s in kernel.body)
    return not (plain and is_long(kernel.body) and extent_of(cross) > _FEW)


def lanes_of(kernel: Kernel, target: Target) -> int:
    """The lanes of the kernel's vectors: those of the target, or half for squares of 8-byte elements."""
    if kernel.cross is None:
        return target.lanes
    wide = any(a.dtype.size_bytes == 8 for a in kernel.buffers())
    return min(target.lanes, 8) if wide else target.lanes
