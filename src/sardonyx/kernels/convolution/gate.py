"""Hard swishes at the end of a convolution, which stay in the registers of its micro-kernels.

Decides which map trees are one; must not know how tiles are stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.abi import number_bits
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.kernels.arguments import GATED, Conv
from sardonyx.kernels.call import Argument
from sardonyx.kernels.epilogue import INF, Finish, match_finish
from sardonyx.loops.nest import Apply, Axis, Expr, Kernel, Literal, Store

_NOTHING = -0.0
"""What added changes no number."""


@dataclass(frozen=True, slots=True)
class Line:
    """x * slope + shift, with one rounding."""

    slope: float
    shift: float


@dataclass(frozen=True, slots=True)
class Gate:
    """The outer line of v * min(max(inner line of v, low), high), where v = tile + bias as in `finish`."""

    finish: Finish
    inner: Line
    low: float
    high: float
    outer: Line

    def words(self, axes: Sequence[Axis]) -> dict[int, Argument]:
        """The words from FINISH on, without a residual along `axes`, and those of both lines."""
        limited = replace(self.finish, low=self.low, high=self.high)
        found = dict(enumerate(limited.words(dt.F32, axes), Conv.FINISH))
        lines = (self.inner.slope, self.inner.shift, self.outer.slope, self.outer.shift)
        found |= {Conv.SLOPE + n: number_bits(value, dt.F32) for n, value in enumerate(lines)}
        return {**found, Conv.FINISH: GATED}


def match_gate(kernel: Kernel) -> Gate | None:
    """The gate that does what the epilogue kernel does, but for one rounding, or None if none does."""
    if len(kernel.body) != 1 or not isinstance(kernel.body[0], Store):
        return None
    store = kernel.body[0]
    outer, product = _line(store.expr)
    if not isinstance(product, Apply) or product.prim != "mul" or product.dtype is not dt.F32:
        return None
    for value, limited in (product.args, product.args[::-1]):
        low, high, gate = _limits(limited)
        inner, inside = _line(gate)
        if inside != value or low == -INF or high == INF or low > high:
            continue
        finish = match_finish(replace(kernel, body=(replace(store, expr=value),)))
        if finish and finish.residual is None and (finish.low, finish.high) == (-INF, INF):
            return Gate(finish, inner, low, high, outer)
    return None


def _line(expr: Expr) -> tuple[Line, Expr]:
    """What an expression is a line of, by numbers that multiply or divide it, and one that is added."""
    slope, shift = 1.0, _NOTHING
    number, rest = _number(expr, "add")
    if number is not None:
        shift, expr = number, rest
    while True:
        factor, of_product = _number(expr, "mul")
        divisor, of_quotient = _number(expr, "div")
        if factor is not None:
            slope, expr = slope * factor, of_product
        elif divisor:
            slope, expr = slope / divisor, of_quotient
        else:
            return Line(slope, shift), expr


def _number(expr: Expr, prim: str) -> tuple[float | None, Expr]:
    """The number that is an operand of a map, and the other operand; a number does not divide others."""
    if not isinstance(expr, Apply) or expr.prim != prim:
        return None, expr
    first, second = expr.args
    if isinstance(second, Literal):
        return float(second.value), first
    if isinstance(first, Literal) and prim != "div":
        return float(first.value), second
    return None, expr


def _limits(expr: Expr) -> tuple[float, float, Expr]:
    """The bounds around an expression, one of each."""
    low, high = -INF, INF
    for _ in range(2):
        for prim in ("max", "min"):
            number, rest = _number(expr, prim)
            if number is None or number != number:
                continue
            if prim == "max" and low == -INF:
                low, expr = number, rest
            elif prim == "min" and high == INF:
                high, expr = number, rest
    return low, high, expr
