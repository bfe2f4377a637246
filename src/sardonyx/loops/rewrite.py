"""Loop nests with fewer axes that do the same: unit axes dropped, neighbours that run on in memory merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
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
)


def accesses(kernel: Kernel) -> Iterator[Affine]:
    """Every affine form in the kernel: addresses and positions."""
    for statement in kernel.body:
        for expr in statement.exprs:
            if isinstance(expr, Position) or (isinstance(expr, Load) and expr.buffer.role != "tile"):
                yield expr.at
        if isinstance(statement, Store):
            yield statement.at


class _Axes:
    """The axes of a kernel, and of what is read beside it, while they become fewer.

    Attributes:
        nests: the outer axes, then those of each statement.
        operands: addresses that the anchor reads.
    """

    def __init__(self, kernel: Kernel, operands: tuple[Affine, ...] = ()) -> None:
        self._kernel = kernel
        self.nests = [kernel.outer, *(s.axes for s in kernel.body)]
        self.operands = operands
        self._listed: dict[Axis, tuple[Axis, ...]] = {}
        self._terms: dict[Axis, Axis | None] = {}

    def drop_units(self, keep: Sequence[Axis] = ()) -> None:
        """Axes of extent 1 are not loops, but for those to `keep`."""
        units = {a for nest in self.nests for a in nest if a.extent == 1 and a not in keep}
        if units:
            self._change(dict.fromkeys(units, ()), dict.fromkeys(units))

    def merge(self, first: Axis, second: Axis, unit: Axis | None = None) -> None:
        """One axis is both, in place of the second; `unit`, if any, stands in place of the first."""
        merged = Axis(second.name, first.extent * second.extent)
        self._change({first: (unit,) if unit else (), second: (merged,)}, {first: None, second: merged})

    def resize(self, extents: Mapping[Axis, Dim]) -> None:
        """Give axes other extents."""
        new = {axis: Axis(axis.name, extent) for axis, extent in extents.items()}
        self._change({axis: (other,) for axis, other in new.items()}, new)

    def _change(self, listed: Mapping[Axis, tuple[Axis, ...]], terms: Mapping[Axis, Axis | None]) -> None:
        self._listed |= listed
        self._terms |= terms
        self.nests = [self.axes(nest) for nest in self.nests]
        self.operands = tuple(map(self.affine, self.operands))

    def forms(self) -> list[Affine]:
        """Every affine form as it is now, the operands too."""
        return [*map(self.affine, accesses(self._kernel)), *self.operands]

    def axes(self, old: Iterable[Axis]) -> tuple[Axis, ...]:
        """What is left of a list of axes."""
        if self._listed.keys().isdisjoint(old := tuple(old)):
            return old
        return self.axes(new for axis in old for new in self._listed.get(axis, (axis,)))

    def affine(self, at: Affine) -> Affine:
        """An affine form in the axes that are left."""
        terms = [(self._now(axis), factor) for axis, factor in at.terms]
        return Affine(at.const, tuple((axis, factor) for axis, factor in terms if axis is not None))

    def _now(self, axis: Axis | None) -> Axis | None:
        while axis in self._terms:
            axis = self._terms[axis]
        return axis

    def kernel(self) -> Kernel:
        """The kernel with these axes, built anew once for all steps."""
        if not self._terms:
            return self._kernel
        new: dict[int, Expr] = {}
        body = tuple(self._statement(s, new) for s in self._kernel.body)
        return replace(self._kernel, outer=self.nests[0], body=body)

    def _statement(self, old: Statement, new: dict[int, Expr]) -> Statement:
        results = (old.result,) if isinstance(old, Reduce) else ()
        for expr in (*old.exprs, *results):
            if id(expr) not in new:
                new[id(expr)] = self._expr(expr, new)
        expr, axes = new[id(old.expr)], self.axes(old.axes)
        if isinstance(old, Store):
            return replace(old, at=self.affine(old.at), axes=axes, expr=expr, picks=_picks(old.picks, new))
        result = new[id(old.result)]
        assert isinstance(result, Reduced)
        return replace(old, result=result, axes=axes, expr=expr)

    def _expr(self, old: Expr, new: Mapping[int, Expr]) -> Expr:
        if isinstance(old, Load):
            return Load(old.buffer, self.affine(old.at), old.dtype, _picks(old.picks, new))
        if isinstance(old, Position):
            return Position(self.affine(old.at), old.dtype)
        if isinstance(old, Apply):
            return Apply(old.prim, tuple(new[id(a)] for a in old.args), old.dtype)
        if isinstance(old, Reduced):
            return Reduced(old.name, old.dtype, frozenset(self.axes(old.axes)))
        return old


def _picks(old: Sequence[Pick], new: Mapping[int, Expr]) -> tuple[Pick, ...]:
    return tuple(Pick(new[id(p.index)], p.stride, p.extent) for p in old)


def drop_unit_axes(kernel: Kernel) -> Kernel:
    """Axes of extent 1 are not loops."""
    axes = _Axes(kernel)
    axes.drop_units()
    return axes.kernel()


def with_extents(kernel: Kernel, extents: Mapping[Axis, Dim]) -> Kernel:
    """The kernel with other extents of some axes."""
    axes = _Axes(kernel)
    axes.resize(extents)
    return axes.kernel()


def merge_axes(kernel: Kernel) -> Kernel:
    """Unit axes dropped, neighbours (i, j) with factor(i) == factor(j) * extent(j) everywhere merged."""
    axes = _Axes(kernel)
    axes.drop_units()
    while (pair := _mergeable(axes)) is not None:
        axes.merge(*pair)
    return axes.kernel()


def _mergeable(axes: _Axes) -> tuple[Axis, Axis] | None:
    nests = axes.nests
    if all(len(nest) < 2 for nest in nests):
        return None
    forms = axes.forms()
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
    axes = _Axes(kernel, operands)
    axes.drop_units(keep=kernel.outer[-1 - last :])
    while len(nest := axes.nests[0][:-last]) > 1:
        forms = axes.forms()
        pair = next(((a, b) for a, b in pairwise(nest) if all(_runs_on(at, a, b) for at in forms)), None)
        if pair is None:
            break
        axes.merge(*pair)
    return axes.kernel(), axes.operands


def merge_pair(kernel: Kernel, operands: tuple[Affine, ...], at: int) -> tuple[Kernel, tuple[Affine, ...]]:
    """Outer axes `at` and `at + 1` as one, at the latter's position, where all addresses allow it.

    The former stays as an axis of extent 1.
    """
    axes = _Axes(kernel, operands)
    first, second = kernel.outer[at], kernel.outer[at + 1]
    if all(_runs_on(form, first, second) for form in axes.forms()):
        axes.merge(first, second, Axis(first.name, 1))
    return axes.kernel(), axes.operands


def _adjacent(nest: Sequence[Axis], first: Axis, second: Axis) -> bool:
    if first not in nest and second not in nest:
        return True
    return first in nest and second in nest and nest.index(second) == nest.index(first) + 1


def _runs_on(at: Affine, first: Axis, second: Axis) -> bool:
    return at.factor(first) == at.factor(second) * second.extent
