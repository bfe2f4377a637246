"""Loop nests with fewer axes that do the same: unit axes dropped, neighbours that run on in memory merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import replace
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Expr,
    Kernel,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Statement,
    Store,
    children,
    roots,
    walk,
)

ToAxes = Callable[[Sequence[Axis]], tuple[Axis, ...]]
ToAffine = Callable[[Affine], Affine]


def accesses(kernel: Kernel) -> Iterator[Affine]:
    """Every affine form in the kernel: addresses and positions."""
    for statement in kernel.body:
        for expr in walk(roots(statement)):
            if isinstance(expr, Position) or (isinstance(expr, Load) and expr.buffer.role != "tile"):
                yield expr.at
        if isinstance(statement, Store):
            yield statement.at


def rewrite(
    kernel: Kernel,
    outer: Sequence[Axis],
    axes: ToAxes,
    affine: ToAffine,
) -> Kernel:
    """The kernel with every axis list and every affine form replaced."""
    memo: dict[int, Expr] = {}

    def expr(old: Expr) -> Expr:
        if id(old) not in memo:
            memo[id(old)] = _rebuilt(old, expr, affine, axes)
        return memo[id(old)]

    body: list[Statement] = []
    for s in kernel.body:
        for e in walk(roots(s)):
            expr(e)
        if isinstance(s, Reduce):
            result = expr(s.result)
            assert isinstance(result, Reduced)
            body.append(Reduce(result, s.op, axes(s.axes), expr(s.expr), s.last, s.plain))
        else:
            picks = tuple(Pick(expr(p.index), p.stride, p.extent) for p in s.picks)
            body.append(Store(s.buffer, affine(s.at), axes(s.axes), expr(s.expr), picks, s.reduction))
    return replace(kernel, outer=tuple(outer), body=tuple(body))


def _rebuilt(
    old: Expr,
    expr: Callable[[Expr], Expr],
    affine: ToAffine,
    axes: ToAxes,
) -> Expr:
    if isinstance(old, Load):
        picks = tuple(Pick(expr(p.index), p.stride, p.extent) for p in old.picks)
        return Load(old.buffer, affine(old.at), old.dtype, picks)
    if isinstance(old, Position):
        return Position(affine(old.at), old.dtype)
    if isinstance(old, Apply):
        return Apply(old.prim, tuple(expr(a) for a in children(old)), old.dtype)
    if isinstance(old, Reduced):
        return Reduced(old.name, old.dtype, frozenset(axes(tuple(old.axes))))
    return old


def _merger(first: Axis, second: Axis, unit: Axis | None = None) -> tuple[ToAxes, ToAffine]:
    """What one axis for two does to lists of axes and to forms: it is the second, the first is `unit`."""
    merged = Axis(second.name, first.extent * second.extent)
    new = {first: (unit,) if unit else (), second: (merged,)}

    def axes(old: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(axis for x in old for axis in new.get(x, (x,)))

    def affine(at: Affine) -> Affine:
        return Affine(
            at.const, tuple((merged if x is second else x, f) for x, f in at.terms if x is not first)
        )

    return axes, affine


def drop_unit_axes(kernel: Kernel) -> Kernel:
    """Axes of extent 1 are not loops."""
    if not _has_unit(kernel, ()):
        return kernel

    def keep(axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(a for a in axes if a.extent != 1)

    def affine(at: Affine) -> Affine:
        return Affine(at.const, tuple((a, f) for a, f in at.terms if a.extent != 1))

    return rewrite(kernel, keep(kernel.outer), keep, affine)


def _has_unit(kernel: Kernel, keep: Sequence[Axis]) -> bool:
    """Whether there is an axis of extent 1 that need not be kept."""
    nests = (kernel.outer, *(s.axes for s in kernel.body))
    return any(a.extent == 1 and a not in keep for nest in nests for a in nest)


def merge_axes(kernel: Kernel) -> Kernel:
    """Neighbouring axes (i, j) with factor(i) == factor(j) * extent(j) everywhere become one axis."""
    while True:
        pair = _mergeable(kernel)
        if pair is None:
            return kernel
        first, second = pair
        axes, affine = _merger(first, second)
        kernel = rewrite(kernel, axes(kernel.outer), axes, affine)


def _mergeable(kernel: Kernel) -> tuple[Axis, Axis] | None:
    nests = [kernel.outer, *(s.axes for s in kernel.body)]
    if all(len(nest) < 2 for nest in nests):
        return None
    forms = list(accesses(kernel))
    for nest in nests:
        for first, second in pairwise(nest):
            together = all(_adjacent(n, first, second) for n in nests)
            if together and all(_runs_on(at, first, second) for at in forms):
                return first, second
    return None


def merge_outer(
    kernel: Kernel, operands: tuple[Affine, ...], last: int = 1
) -> tuple[Kernel, tuple[Affine, ...]]:
    """Unit axes dropped and neighbouring outer axes merged, but for the `last` ones and the row axis.

    `operands` are the addresses that the anchor reads; they must allow a merger and are rewritten with it.
    """
    outer, keep = kernel.outer, kernel.outer[-1 - last :]

    def drop(axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(a for a in axes if a.extent != 1 or a in keep)

    def fewer(at: Affine) -> Affine:
        return Affine(
            at.const,
            tuple((a, f) for a, f in at.terms if a.extent != 1 or a in keep or a not in outer),
        )

    if _has_unit(kernel, keep):
        kernel = rewrite(kernel, drop(outer), drop, fewer)
        operands = tuple(fewer(at) for at in operands)
    while True:
        nest = kernel.outer[:-last]
        forms = [*accesses(kernel), *operands] if len(nest) > 1 else []
        pair = next(
            ((a, b) for a, b in pairwise(nest) if all(_runs_on(at, a, b) for at in forms)),
            None,
        )
        if pair is None:
            return kernel, operands
        axes, affine = _merger(*pair)
        kernel = rewrite(kernel, axes(kernel.outer), axes, affine)
        operands = tuple(affine(at) for at in operands)


def merge_pair(kernel: Kernel, operands: tuple[Affine, ...], at: int) -> tuple[Kernel, tuple[Affine, ...]]:
    """Outer axes `at` and `at + 1` as one, at the latter's position, where all addresses allow it.

    The former stays as an axis of extent 1.
    """
    first, second = kernel.outer[at], kernel.outer[at + 1]
    if not all(_runs_on(form, first, second) for form in [*accesses(kernel), *operands]):
        return kernel, operands
    axes, affine = _merger(first, second, Axis(first.name, 1))
    kernel = rewrite(kernel, axes(kernel.outer), axes, affine)
    return kernel, tuple(affine(form) for form in operands)


def _adjacent(nest: Sequence[Axis], first: Axis, second: Axis) -> bool:
    if first not in nest and second not in nest:
        return True
    return first in nest and second in nest and nest.index(second) == nest.index(first) + 1


def _runs_on(at: Affine, first: Axis, second: Axis) -> bool:
    return dims.equal(at.factor(first), at.factor(second) * second.extent) is True
