"""Real numbers on their way to unsigned bytes: rounded as they become integers, moved and limited as such.

An instruction rounds to an integer, another limits integers to bytes: with limits of floats it takes twice
as many. Limits before, as those of a ReLU, which bytes have anyway, are left out. Results are the same bits.
Where `strict` allows for it, what is taken from integer sums, as zero points are, joins what is added later.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.rewrite import Uses, map_counted
from sardonyx.ir.value import Value, const, map_, scalar

_MOST = 255
_BELOW_INTEGERS = float(1 << 30)
"""A limit far beyond bytes, which an integer with a zero point beside it holds."""


def saturated(graph: Graph, goal: Goal) -> Graph:
    """Casts of what was rounded and limited to unsigned bytes, as casts of integers."""
    if graph.primitives.isdisjoint(("round",)):
        return graph

    def change(value: Value, args: tuple[Value, ...], uses: Uses) -> Value:
        changed = rebuild(value, args)
        found = rounded(changed) if changed.prim == "cast" and changed.dtype is dt.U8 else None
        if found is not None:
            changed = _as_integers(found, uses, joins=not goal.policy.fixed_order)
            inherit(changed, value.origins)
        return changed

    return map_counted(graph, change)


@dataclass(frozen=True, slots=True)
class _Rounded:
    """Single floats that are rounded, and the zero point of their bytes: its data, or what is computed."""

    real: Value
    zero: np.ndarray
    computed: Value | None = None


def rounded(cast: Value) -> _Rounded | None:
    """What becomes bytes by round(x) + zero from 0 to 255; None if it is not that."""
    low = _limited(cast.args[0], "min", _MOST)
    points = None if low is None else _limited(low, "max", 0)
    if points is None:
        return None
    zero, computed = np.zeros((), np.float32), None
    if points.prim == "add" and points.args[1].is_numeric_const:
        points, moved = points.args
        assert moved.data is not None
        zero = moved.data
    elif points.prim == "add" and _is_byte(points.args[1]):
        points, computed = points.args
    if points.prim != "round" or points.dtype is not dt.F32 or points.args[0].prim == "const":
        return None
    fits = bool(np.all((zero >= 0) & (zero <= _MOST) & (zero == np.rint(zero))))
    return _Rounded(points.args[0], zero, computed) if fits and points.shape == cast.shape else None


def _is_byte(value: Value) -> bool:
    """Whether this is one number that was rounded and limited as bytes are."""
    number = value
    while number.prim in ("reshape", "broadcast") and number.args[0].size == 1:
        number = number.args[0]
    low = _limited(number, "min", _MOST)
    points = None if low is None else _limited(low, "max", 0)
    return value.size == 1 and points is not None and points.prim == "round"


def _limited(value: Value, prim: str, bound: float) -> Value | None:
    """What is limited by that bound, if this is such a limit."""
    limit = _limit(value)
    return value.args[0] if value.prim == prim and limit == bound else None


def _limit(value: Value) -> float | None:
    """The constant of a limit, if it is one number."""
    if value.prim not in ("max", "min") or not value.args[1].is_numeric_const or value.args[1].size != 1:
        return None
    data = value.args[1].data
    return None if data is None else float(data.reshape(()))


def _as_integers(found: _Rounded, uses: Uses, *, joins: bool) -> Value:
    real, zero = found.real, const(found.zero.astype(np.int32)) if found.zero.any() else None
    if found.computed is None:
        real = _without_limits(real, found.zero, uses)
    else:
        zero = found.computed.cast(dt.I32)
    real = _joined(real, uses) if joins else real
    points = map_("min", real, scalar(_BELOW_INTEGERS, dt.F32)).unary("round").cast(dt.I32)
    points = points if zero is None else points + zero
    return map_("min", map_("max", points, scalar(0, dt.I32)), scalar(_MOST, dt.I32)).cast(dt.U8)


def _without_limits(real: Value, zero: np.ndarray, uses: Uses) -> Value:
    """Without limits that bytes have: a least number of at most 0, or a greatest of at least 255."""
    while uses(real) == 1 and (limit := _limit(real)) is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            byte = np.rint(limit) + zero
        if not np.all(byte <= 0 if real.prim == "max" else byte >= _MOST):
            return real
        real = real.args[0]
    return real


@dataclass(frozen=True, slots=True)
class _Term:
    """Numbers without a constant that is to be added to them."""

    value: Value
    constant: Value | None


def _joined(real: Value, uses: Uses) -> Value:
    """A sum of products of integers, less constants, with constants: those are added once, as floats."""
    if real.prim in ("max", "min") and uses(real) == 1 and _limit(real) is not None:
        return map_(real.prim, _joined(real.args[0], uses), real.args[1])
    term = _term(real, uses)
    if term.value is real or term.constant is None:
        return real
    return map_("add", term.value, term.constant)


def _term(value: Value, uses: Uses) -> _Term:
    if uses(value) != 1:
        return _Term(value, None)
    match value.prim:
        case "add" if value.args[1].is_numeric_const:
            left = _term(value.args[0], uses)
            return _Term(left.value, _sum(left.constant, value.args[1]))
        case "add":
            left, right = (_term(arg, uses) for arg in value.args)
            if left.value is value.args[0] and right.value is value.args[1]:
                return _Term(value, None)
            whole = map_("add", left.value, right.value)
            inherit(whole, value.origins)
            return _Term(whole, _sum(left.constant, right.constant))
        case "mul" if value.args[1].is_numeric_const and value.args[0].prim == "cast":
            whole = value.args[0].args[0]
            if whole.prim == "sub" and whole.dtype is dt.I32 and whole.args[1].is_numeric_const:
                factor = value.args[1]
                product = map_("mul", whole.args[0].cast(dt.F32), factor)
                inherit(product, value.origins)
                return _Term(product, map_("mul", whole.args[1].cast(dt.F32).unary("neg"), factor))
    return _Term(value, None)


def _sum(a: Value | None, b: Value | None) -> Value | None:
    return a if b is None else b if a is None else map_("add", a, b)
