"""Loops of a kernel's statements: vectors along one axis, serial or unrolled loops along the others.

Several vectors, or several steps of a reduction, run side by side where that hides latency; the order in
which a sum is added up depends on sizes alone, never on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import prod

from sardonyx.base.dim import Dim
from sardonyx.base.named import NamedTuple
from sardonyx.emit.ahead import AheadEmitter
from sardonyx.emit.fold import combine
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.cost import body_cost, may_be_near
from sardonyx.loops.nest import Axis, Load, Reduce, Statement, Store, joined, roots, walk

UNROLL_POINTS = 32
"""The most points of small axes that are written out one after the other."""
_UNROLL_COST = 200
_SERIAL_COPIES = 4
_RUN = 32
_COPIES = ((10, 4), (40, 2))
"""How many vectors to run side by side if the instructions for one are at most so many."""
_COLUMN_COST, _COLUMN_COPIES = 4, 8
"""The same where steps of a reduction are lines apart: the more of a line's neighbours follow, the faster."""


class _Parts(NamedTuple):
    """Which loops the vectors of an axis take: several at a time, single ones, a masked tail; or no loop."""

    copies: bool = True
    vectors: bool = True
    tail: bool = True
    is_one: bool = False


def _parts(extents: Sequence[Dim], lanes: int, copies: int) -> _Parts:
    """The loops over all of an axis; without an extent any may be needed."""
    (extent,) = extents
    if not isinstance(extent, int):
        return _Parts()
    are_many = copies > 1 and extent >= copies * lanes
    rest = extent % (copies * lanes) if are_many else extent
    return _Parts(are_many, rest >= lanes, rest % lanes > 0, extent == lanes)


class Several(NamedTuple):
    """How many vectors run at a time: one after the other, or `abreast`, their instructions alternating."""

    number: int = 1
    abreast: bool = False


_ONE = Several()


class LoopEmitter(AheadEmitter):
    """Emits statements with their loops."""

    # ---- statements

    def statements(self, body: Sequence[Statement]) -> None:
        """Run statements inside the outer loops; neighbours over the same axes share their loops."""
        groups = joined(body)
        asking = self.asking_pass(groups)
        for group in groups:
            self._run_together(group, self.asking if group is asking else nullcontext)

    def _run_together(
        self, group: Sequence[Statement], around: Callable[[], AbstractContextManager[None]]
    ) -> None:
        axes = list(group[0].axes)
        reductions = [s for s in group if not isinstance(s, Store)]
        for _ in self.each_alternate():
            self.begin_reductions(reductions)
            with self._only_if(self.current.exists, reductions), around():
                if axes:
                    self.hoist(group, axes)
                self._inner(axes, group)
        for _ in self.each_alternate():
            self.end_reductions(reductions)

    def _inner(self, axes: list[Axis], group: Sequence[Statement]) -> None:
        if not axes:
            self._leaf(group)
            return
        ordered = [a for a in axes if a is not self.vector] + [a for a in axes if a is self.vector]
        axis, rest = ordered[0], ordered[1:]
        reductions = [s for s in group if not isinstance(s, Store)]
        if axis is self.vector:
            high = self.words.extent(axis)
            several = self.several_vectors(group) if len(self.copies) == 1 else _ONE
            self.vector_loop(axis, int_(0), high, lambda: self._inner(rest, group), reductions, several)
        elif self.unrolls(axes, min(UNROLL_POINTS, int(_UNROLL_COST / body_cost(group)))):
            with self.scope():
                self.enter(axis, int_(0))
                for index in range(self.written_out(axis)):
                    if index:
                        self.enter(axis, int_(1), keep=True)
                    with self.scope():
                        self.hoist(group, rest)
                        self._inner(rest, group)
        else:
            self._serial_loop(axis, rest, group, reductions)

    def _leaf(self, group: Sequence[Statement]) -> None:
        for _ in self.each_copy():
            self.ask(self.current.displacement)
            for statement in group:
                if isinstance(statement, Store):
                    self.store(statement)
                else:
                    self.accumulate(statement)

    def _serial_loop(
        self, axis: Axis, rest: list[Axis], group: Sequence[Statement], reductions: Sequence[Reduce]
    ) -> None:
        def step() -> None:
            self.hoist(group, rest)
            self._inner(rest, group)

        high, low = self.words.extent(axis), int_(0)
        if reductions and not rest and len(self.copies) == 1 and self._is_long(axis, _SERIAL_COPIES):
            low = self._side_by_side(axis, low, high, 1, _SERIAL_COPIES, step, reductions)
            if self.extents.leaves(axis, _SERIAL_COPIES) is False:
                return
        elif not rest and _sums(reductions) and self._is_long(axis, 2 * _RUN):
            self._in_runs(axis, low, high, step, reductions)
            return
        self._loop(axis, low, high, 1, step, reductions)

    def _in_runs(
        self, axis: Axis, low: V, high: V, body: Callable[[], None], reductions: Sequence[Reduce]
    ) -> None:
        """As `_loop` in runs with accumulators of their own, so that few terms meet a sum of full size."""
        f = self.f
        with f.loop(low, high, _RUN, self.accumulators(reductions)) as loop, self.scope():
            self.begin_reductions(reductions)
            end = f.smin(high, f.add(loop.index, int_(_RUN)))
            self._loop(axis, loop.index, end, 1, body, reductions)
            pairs = zip(loop.carried, self.accumulators(reductions), strict=True)
            kinds = [r for _ in self.copies for r in reductions]
            whole = [combine(f, self.target, r, a, b) for r, (a, b) in zip(kinds, pairs, strict=True)]
            loop.next(*whole)
        self.carry(reductions, loop.carried)

    def _loop(
        self, axis: Axis, low: V, high: V, step: int, body: Callable[[], None], reductions: Sequence[Reduce]
    ) -> V:
        """One point (or vector) of the axis at a time; returns the first index that was not reached."""
        keep = self.tile_strides is not None
        with self.f.loop(low, high, step, self.accumulators(reductions)) as loop, self.scope():
            self.carry(reductions, loop.carried)
            self.enter(axis, loop.index, keep=keep)
            body()
            loop.next(*self.accumulators(reductions))
        self.carry(reductions, loop.carried)
        return loop.index

    def _side_by_side(
        self,
        axis: Axis,
        low: V,
        high: V,
        step: int,
        copies: int,
        body: Callable[[], None],
        reductions: Sequence[Reduce],
    ) -> V:
        """As `_loop` for several points (or vectors) at a time, each with accumulators of its own."""
        with self.copying(axis, range(0, copies * step, step)) as points:
            for copy in points[1:]:
                copy.sums.update(points[0].sums)
                copy.sums.update({r.result.name: self.identity(r) for r in reductions})
            end = self._loop(
                axis, low, self.f.sub(high, int_(copies * step - 1)), copies * step, body, reductions
            )
            self.merge(reductions)
        return end

    def vector_loop(
        self,
        axis: Axis,
        low: V,
        high: V,
        body: Callable[[], None],
        reductions: Sequence[Reduce] = (),
        several: Several = _ONE,
        *,
        again: bool = False,
    ) -> None:
        """Several vectors at a time first, then single ones, then a masked tail.

        With `again` elements may be computed twice: long axes end with a vector that overlaps the one before.
        """
        lanes, keep, copies = self.lanes, self.tile_strides is not None, several.number
        if again and (copies == 1 or several.abreast):
            wide = copies if self.extents.at_least(axis, copies * lanes) else 1
            if self.extents.at_least(axis, wide * lanes + (wide == 1)):
                with self._wider(wide):
                    self._overlapping(axis, low, high, body)
                return
        whole = low.text == "0" and not keep and not self.words.is_sized(axis)
        parts = self.extents.ask(_parts, (axis,), lanes, copies) if whole else _Parts()
        if parts.is_one:
            with self.scope():
                self.enter(axis, int_(0))
                body()
            return
        if parts.copies and several.abreast:
            end = self.f.sub(high, int_(copies * lanes - 1))
            with self._wider(copies):
                low = self._loop(axis, low, end, copies * lanes, body, reductions)
        elif parts.copies and copies > 1:
            low = self._side_by_side(axis, low, high, lanes, copies, body, reductions)
        if parts.vectors:
            low = self._loop(axis, low, self.f.sub(high, int_(lanes - 1)), lanes, body, reductions)
        if parts.tail:
            self._tail(axis, low, self.f.sub(high, low), body, reductions)

    def _overlapping(self, axis: Axis, low: V, high: V, body: Callable[[], None]) -> None:
        """Vectors of which the last ends where the axis does."""
        last = self.f.sub(self.words.extent(axis), int_(self.lanes))
        with self.f.loop(low, high, self.lanes) as loop, self.scope():
            self.enter(axis, self.f.smin(loop.index, last))
            body()

    @contextmanager
    def _wider(self, registers: int) -> Iterator[None]:
        """What is written inside has vectors of so many registers, whose instructions alternate."""
        lanes, self.lanes = self.lanes, self.lanes * registers
        yield
        self.lanes = lanes

    def _tail(
        self, axis: Axis, low: V, rest: V, body: Callable[[], None], reductions: Sequence[Reduce]
    ) -> None:
        with self._only_if(self.f.icmp("sgt", rest, int_(0)), reductions):
            self.enter(axis, low, keep=self.tile_strides is not None)
            self.mask, self.remaining = self.f.tail_mask(rest, self.lanes), rest
            body()
            self.mask = self.remaining = None

    @contextmanager
    def _only_if(self, condition: V | None, reductions: Sequence[Reduce]) -> Iterator[None]:
        """What is written inside runs only if the i1 holds (None: always); else accumulators stay."""
        if condition is None:
            yield
            return
        f = self.f
        then, done = f.new_label("then"), f.new_label("after")
        before, origin = self.accumulators(reductions), f.label
        f.branch(condition, then, done)
        f.start(then)
        with self.scope():
            yield
        after, end = self.accumulators(reductions), f.label
        f.jump(done)
        f.start(done)
        self.carry(reductions, [f.phi((a, end), (b, origin)) for a, b in zip(after, before, strict=True)])

    # ---- how much to unroll

    def several_vectors(self, body: Sequence[Statement]) -> Several:
        """How many vectors the statements should run at a time, and how."""
        columns = [s for s in body if isinstance(s, Reduce) and self._is_column(s)]
        if columns and sum(body_cost([s]) for s in columns) <= _COLUMN_COST:
            return Several(_COLUMN_COPIES)
        if any(
            may_be_near(e, self.vector)
            for e in walk(e for s in body for e in roots(s))
            if isinstance(e, Load)
        ):
            return Several()
        cost = sum(body_cost([s]) * self._unrolled_points(s) for s in body)
        if cost > _COPIES[-1][0] and self.target.abreast > 1 and self._is_dense(body):
            return Several(self.target.abreast, abreast=True)
        return Several(next((copies for most, copies in _COPIES if cost <= most), 1))

    def _is_dense(self, body: Sequence[Statement]) -> bool:
        """Whether statements only map whole vectors of elements of at most 4 bytes, or single ones."""
        stores = [s for s in body if isinstance(s, Store)]
        accesses: list[Load | Store] = [*stores]
        accesses += [e for e in walk(e for s in body for e in roots(s)) if isinstance(e, Load)]
        return len(stores) == len(body) and all(
            not access.picks
            and access.buffer.dtype.size_bytes <= 4
            and self.lane_step(access.buffer, access.at).known in (0, 1)
            for access in accesses
        )

    def _is_column(self, reduction: Reduce) -> bool:
        """Whether a loop of its own adds up elements beside the vector, one line after the other."""
        axes = reduction.axes
        return len(axes) == 1 and self.vector not in axes and self._is_long(axes[0], _RUN)

    def _unrolled_points(self, statement: Statement) -> int:
        axes = [a for a in statement.axes if a is not self.vector]
        return self._points(axes) if self.unrolls(axes) else 2

    def unrolls(self, axes: Sequence[Axis], limit: int = UNROLL_POINTS) -> bool:
        """Whether all points of some axes are written out one after the other."""
        return self.vector not in axes and self.extents.at_most(axes, limit)

    def _points(self, axes: Sequence[Axis]) -> int:
        """How many points some axes have that are written out."""
        return prod(self.written_out(axis) for axis in axes)

    def written_out(self, axis: Axis) -> int:
        """The extent of an axis whose points are written out."""
        count = self.extents.count(axis)
        assert count is not None, f"the extent of {axis} is not known"
        return count

    def _is_long(self, axis: Axis, least: int) -> bool:
        return not self.extents.at_most([axis], 2 * least - 1)


def _sums(reductions: Sequence[Reduce]) -> bool:
    """Whether there are reductions, all of them sums of real numbers."""
    return bool(reductions) and all(r.op == "sum" and r.expr.dtype.is_float for r in reductions)
