"""Expressions and reductions of a kernel, one SSA value each, scalar or vector as they need.

What does not change inside a loop is computed before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.emit.access import FAIL_DIV0, Access
from sardonyx.emit.fold import combine, horizontal, identity
from sardonyx.llvm import convert, maps, mathfn
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, V, int_
from sardonyx.loops.nest import (
    Apply,
    Axis,
    Expr,
    Literal,
    Load,
    Number,
    Pick,
    Position,
    Reduce,
    Reduced,
    Statement,
    Store,
    children,
)


class _Step(NamedTuple):
    """An expression, the results of reductions below it, and whether something there can fail."""

    expr: Expr
    needs: frozenset[str]
    can_fail: bool


def _rounded_to_integers(expr: Apply) -> Expr | None:
    """The single floats that are rounded to become small integers; None if this is something else."""
    first = expr.args[0]
    if expr.prim != "cast" or not isinstance(first, Apply) or first.prim != "round":
        return None
    is_small = expr.dtype.is_int and (expr.dtype.bits < 32 or expr.dtype is dt.I32)
    return first.args[0] if first.dtype is dt.F32 and is_small else None


class ExprEmitter(Access):
    """Emits expressions at the current place of a loop nest."""

    def __init__(self, function: Function, target: Target, vector: Axis | None, lanes: int) -> None:
        super().__init__(function, target, vector, lanes)
        self.plain: frozenset[str] = frozenset()
        self._known_steps: dict[int, list[_Step]] = {}

    def hoist(self, body: Sequence[Statement], later: Iterable[Axis]) -> None:
        """Compute now whatever does not change with the loops still to come.

        Loops over outer axes are only written where they have points, those over axes of statements may have
        none: what can fail waits until there is one.
        """
        changing = {*later, *([self.copied] if self.copied else [])}
        for statement in body:
            for step in self._steps(statement):
                if not all(name in self.sums for name in step.needs):
                    continue
                if step.can_fail and self._may_skip(changing):
                    continue
                if not step.expr.axes & changing:
                    self.value(step.expr)
                elif isinstance(step.expr, Load):
                    self._pick_early(step.expr.picks, changing)
            if isinstance(statement, Store) and not self._may_skip(changing):
                self._pick_early(statement.picks, changing)

    def _pick_early(self, picks: Sequence[Pick], changing: set[Axis]) -> None:
        """Check now where an element lies that data picks, if only the place around it changes."""
        if picks and not self.stacked and all(self._is_known(pick.index, changing) for pick in picks):
            offset = self.picked(picks)
            assert offset is not None
            self.values[-1][id(picks)] = offset

    def _is_known(self, expr: Expr, changing: set[Axis]) -> bool:
        """Whether it stays the same, and rests on no reduction that is still to come."""
        if isinstance(expr, Reduced):
            return expr.name in self.sums
        return not expr.axes & changing and all(self._is_known(part, changing) for part in children(expr))

    def _may_skip(self, axes: Iterable[Axis]) -> bool:
        """Whether loops over some axes, as far as they belong to statements, may have no points."""
        return not all(self.extents.at_least(axis, 1) for axis in self.inner_axes().intersection(axes))

    def inner_axes(self) -> set[Axis]:
        """The axes that belong to statements rather than to the whole kernel."""
        raise NotImplementedError

    def _steps(self, statement: Statement) -> list[_Step]:
        """What a statement computes that may be computed earlier, operands first."""
        found = self._known_steps.get(id(statement))
        if found is None:
            found = self._known_steps[id(statement)] = _steps(statement)
        return found

    # ---- expressions

    def value(self, expr: Expr) -> V:
        """The SSA value of an expression here; a scalar if it is the same in all lanes."""
        key = id(expr)
        for level in reversed(self.values):
            if key in level:
                return self._doubled(level[key])
        result = (
            self._stack(expr) if self.stacked and isinstance(expr, Load | Position) else self._value(expr)
        )
        if not isinstance(expr, Reduced):
            self.values[-1][key] = result
        return result

    def _value(self, expr: Expr) -> V:
        match expr:
            case Number():
                return self.words.number(expr)
            case Literal():
                return convert.literal(expr.value, expr.dtype)
            case Position():
                return self._position(expr)
            case Load():
                return self.load(expr)
            case Reduced():
                return self.sums[expr.name]
            case Apply():
                return self._apply(expr)
        raise AssertionError(expr)

    def _stack(self, expr: Load | Position) -> V:
        """What stands at both points that are stacked; a scalar if it is the same at both."""
        assert self.stacked is not None
        axis = self.stacked[0]
        is_tile = isinstance(expr, Load) and expr.buffer.role == "tile"
        values = []
        for _ in self.each_point(expr.axes | {axis} if is_tile else expr.axes):
            value = self._value(expr)
            values.append(value if axis not in expr.axes else self.widen(value))
        first, second = values[0], values[-1]
        return self._doubled(first) if len(values) == 1 else self.f.shuffle(first, second, range(self.lanes))

    def _doubled(self, value: V) -> V:
        """A vector of half as many lanes, computed before points were stacked, for each of them."""
        if not self.stacked or value.lanes == 1 or value.lanes == self.lanes:
            return value
        return self.f.shuffle(value, value, [*range(value.lanes)] * (self.lanes // value.lanes))

    def _position(self, expr: Position) -> V:
        total = self.words.word(None, expr.at.const)
        for axis, factor in expr.at.terms:
            index = self.index(axis)
            if axis is self.vector:
                index = self.f.add(self.widen(index), self.f.iota(self.lanes))
            stride = self.words.word(None, factor)
            step = self.f.mul(index, self.widen(stride) if index.lanes > 1 else stride)
            if step.lanes != total.lanes:
                total, step = self.widen(total), self.widen(step)
            total = self.f.add(total, step)
        return convert.cast(self.f, self.target, total, dt.I64, expr.dtype)

    def _apply(self, expr: Apply) -> V:
        if rounded := _rounded_to_integers(expr):
            return convert.nearest(self.f, self.value(rounded), expr.dtype)
        args = [self.value(a) for a in expr.args]
        if any(a.lanes > 1 for a in args):
            args = [self.widen(a) for a in args]
        types = [a.dtype for a in expr.args]
        if expr.prim == "exp" and expr.dtype in (dt.F32, dt.F64) and self._is_below_maximum(expr.args[0]):
            return mathfn.exp_below_high(Lanes(self.f, args[0]), self.target).v
        if expr.prim == "cast":
            return convert.cast(self.f, self.target, args[0], types[0], expr.dtype)
        attrs = {"to": expr.dtype}
        mask = self.mask if args[0].lanes > 1 else None
        return maps.apply(self.f, self.target, expr.prim, args, types, expr.dtype, attrs, mask, self._fail_if)

    def _is_below_maximum(self, expr: Expr) -> bool:
        """Whether a number is at most 0, or NaN: what a plain maximum was subtracted from."""
        last = expr.args[-1] if isinstance(expr, Apply) and expr.prim == "sub" else None
        return isinstance(last, Reduced) and last.name in self.plain

    def _fail_if(self, what: str, condition: V) -> None:
        """End the call with a data error if the i1 holds."""
        assert self.tile_strides is None, "an epilogue cannot report bad data"
        self.stop_if(condition, {"div0": FAIL_DIV0}[what], int_(0), int_(0))

    # ---- reductions

    def begin_reductions(self, reductions: Sequence[Reduce]) -> None:
        """Accumulators start at the identity."""
        for copy in self.copies:
            for r in reductions:
                copy.sums[r.result.name] = self.identity(r)

    def identity(self, r: Reduce) -> V:
        """What an accumulator starts with: in all lanes if they differ later."""
        vector = self.vector is not None and (self.vector in r.expr.axes or self.vector in r.axes)
        return identity(self.f, r, self.lanes if vector else 1, self.target)

    def accumulators(self, reductions: Sequence[Reduce]) -> list[V]:
        """The current accumulator values of all copies."""
        return [copy.sums[r.result.name] for copy in self.copies for r in reductions]

    def carry(self, reductions: Sequence[Reduce], values: Sequence[V]) -> None:
        """Replace the accumulator values of all copies."""
        places = [(copy, r) for copy in self.copies for r in reductions]
        for (copy, r), value in zip(places, values, strict=True):
            copy.sums[r.result.name] = value

    def accumulate(self, r: Reduce) -> None:
        """Fold the current element into the accumulator; masked-out lanes leave it alone."""
        old = self.sums[r.result.name]
        factors = _product(r)
        if factors is not None:
            a, b = (self.widen(v) if old.lanes > 1 else v for v in map(self.value, factors))
            result = self.f.fma(a, b, old)
        else:
            new = self.value(r.expr)
            result = combine(self.f, self.target, r, old, self.widen(new) if old.lanes > 1 else new)
        if self.mask is not None and old.lanes > 1 and self.vector in r.axes:
            result = self.f.select(self.mask, result, old)
        self.sums[r.result.name] = result

    def merge(self, reductions: Sequence[Reduce]) -> None:
        """Fold the accumulators of the copies into the first one's, by halves."""
        for r in reductions:
            values = [copy.sums[r.result.name] for copy in self.copies]
            while len(values) > 1:
                half = (len(values) + 1) // 2
                folded = [
                    combine(self.f, self.target, r, a, b) for a, b in zip(values, values[half:], strict=False)
                ]
                values = [*folded, *values[len(folded) : half]]
            self.copies[0].sums[r.result.name] = values[0]

    def end_reductions(self, reductions: Sequence[Reduce]) -> None:
        """Fold the lanes together where they ran along a reduced axis."""
        for copy in self.copies:
            for r in reductions:
                if self.vector in r.axes:
                    value = copy.sums[r.result.name]
                    copy.sums[r.result.name] = horizontal(self.f, self.target, r, value)


def _steps(statement: Statement) -> list[_Step]:
    known: dict[int, _Step] = {}
    for expr in statement.exprs:
        below = [known[id(part)] for part in children(expr)]
        needs = frozenset([expr.name] if isinstance(expr, Reduced) else []).union(*(s.needs for s in below))
        fails = can_fail(expr) or any(s.can_fail for s in below)
        known[id(expr)] = _Step(expr, needs, fails)
    return [step for step in known.values() if isinstance(step.expr, Apply | Load)]


def can_fail(expr: Expr) -> bool:
    """Whether the data may be such that evaluating this is an error."""
    if isinstance(expr, Load):
        return bool(expr.picks)
    return isinstance(expr, Apply) and expr.prim in ("div", "mod", "fmod") and not expr.dtype.is_float


def _product(r: Reduce) -> tuple[Expr, Expr] | None:
    """The factors of a sum of float products, which accumulates with one rounding."""
    if (
        r.op == "sum"
        and isinstance(r.expr, Apply)
        and r.expr.prim == "mul"
        and r.expr.dtype in (dt.F32, dt.F64)
    ):
        return r.expr.args[0], r.expr.args[1]
    return None
