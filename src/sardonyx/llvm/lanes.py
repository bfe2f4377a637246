"""Arithmetic operators for SSA values, so that formulas read as formulas.

Knows instructions; must not know element types of tensors or kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, V, float_, int_

_FLOATS = frozenset({"float", "double", "half"})
_BITS = {"float": "i32", "double": "i64"}

# A chain of this many dependent FMAs waits longer than the instructions of the following vectors can fill.
_MANY_TERMS = 16


class Lanes:
    """A scalar or vector value in the function being written; Python numbers become constants of its type.

    Integers are signed in comparisons, divisions and `>>`.
    """

    __slots__ = ("f", "v")

    def __init__(self, f: Function, v: V) -> None:
        self.f = f
        self.v = v

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats."""
        return self.v.scalar in _FLOATS

    def like(self, number: float) -> Lanes:
        """A constant of this type."""
        return Lanes(self.f, float_(number, self.v.type) if self.is_float else int_(int(number), self.v.type))

    def _value(self, other: Lanes | float) -> V:
        return other.v if isinstance(other, Lanes) else self.like(other).v

    def _binary(self, real: str, whole: str, other: Lanes | float, *, swap: bool = False) -> Lanes:
        a, b = self.v, self._value(other)
        if swap:
            a, b = b, a
        return Lanes(self.f, self.f.binary(real if self.is_float else whole, a, b))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._binary("fadd", "add", other)

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: float) -> Lanes:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._binary("fmul", "mul", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: float) -> Lanes:
        return self._binary("fdiv", "sdiv", other, swap=True)

    def __and__(self, other: Lanes | int) -> Lanes:
        return self._binary("", "and", other)

    def __or__(self, other: Lanes | int) -> Lanes:
        return self._binary("", "or", other)

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self._binary("", "xor", other)

    def __lshift__(self, other: Lanes | int) -> Lanes:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Lanes | int) -> Lanes:
        return self._binary("", "ashr", other)

    def shift_right(self, other: Lanes | int) -> Lanes:
        """Shift right, filling with zeros."""
        return self._binary("", "lshr", other)

    def __neg__(self) -> Lanes:
        if self.is_float:
            return Lanes(self.f, self.f.value(self.v.type, f"fneg {self.v}"))
        return 0 - self

    def __invert__(self) -> Lanes:
        return self ^ -1

    def _compare(self, predicate: str, other: Lanes | float) -> Lanes:
        b = self._value(other)
        if self.is_float:
            return Lanes(self.f, self.f.fcmp("o" + predicate, self.v, b))
        return Lanes(self.f, self.f.icmp(predicate if predicate == "eq" else "s" + predicate, self.v, b))

    def __lt__(self, other: Lanes | float) -> Lanes:
        return self._compare("lt", other)

    def __le__(self, other: Lanes | float) -> Lanes:
        return self._compare("le", other)

    def __gt__(self, other: Lanes | float) -> Lanes:
        return self._compare("gt", other)

    def __ge__(self, other: Lanes | float) -> Lanes:
        return self._compare("ge", other)

    def equals(self, other: Lanes | float) -> Lanes:
        """Equality per lane; false for NaN."""
        return self._compare("eq", other)

    def not_zero(self) -> Lanes:
        """`!= 0` per lane; true for NaN."""
        if self.is_float:
            return Lanes(self.f, self.f.fcmp("une", self.v, self.like(0).v))
        return Lanes(self.f, self.f.icmp("ne", self.v, self.like(0).v))

    def is_nan(self) -> Lanes:
        """Whether it is NaN, per lane."""
        return Lanes(self.f, self.f.fcmp("uno", self.v, self.like(0).v))

    def choose(self, a: Lanes, b: Lanes | float) -> Lanes:
        """`a` where this i1 holds, else `b`."""
        return Lanes(self.f, self.f.select(self.v, a.v, a._value(b)))

    def at_least(self, low: Lanes | float) -> Lanes:
        """The larger of this and a bound that is not NaN; NaN stays NaN."""
        bound = self.like(low) if not isinstance(low, Lanes) else low
        return (bound > self).choose(bound, self)

    def at_most(self, high: Lanes | float) -> Lanes:
        """The smaller of this and a bound that is not NaN; NaN stays NaN."""
        bound = self.like(high) if not isinstance(high, Lanes) else high
        return (bound < self).choose(bound, self)

    def fma(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """`self * factor + term` with one rounding."""
        return Lanes(self.f, self.f.fma(self.v, self._value(factor), self._value(term)))

    def unary(self, intrinsic: str) -> Lanes:
        """An intrinsic of one operand: `sqrt`, `fabs`, `roundeven`, `floor`, `ceil`, `trunc`."""
        return Lanes(self.f, self.f.call(f"llvm.{intrinsic}.{mangle(self.v.type)}", self.v.type, self.v))

    def abs(self) -> Lanes:
        """The absolute value of a float."""
        return self.unary("fabs")

    def sqrt(self) -> Lanes:
        """The square root, correctly rounded."""
        return self.unary("sqrt")

    def round(self) -> Lanes:
        """The nearest integer as float, halves to even."""
        return self.unary("roundeven")

    def copysign(self, sign: Lanes) -> Lanes:
        """The magnitude of this with the sign of another."""
        name = f"llvm.copysign.{mangle(self.v.type)}"
        return Lanes(self.f, self.f.call(name, self.v.type, self.v, sign.v))

    def bits(self, scalar: str = "") -> Lanes:
        """The bit pattern as integers of the same width, or as `scalar`."""
        scalar = scalar or _BITS[self.v.scalar]
        return Lanes(self.f, self.f.bitcast(self.v, vector_of(scalar, self.v.lanes)))

    def convert(self, op: str, scalar: str) -> Lanes:
        """A conversion instruction: `sext`, `trunc`, `sitofp`, `fpext`, ..."""
        return Lanes(self.f, self.f.convert(op, self.v, scalar))

    def polynomial(self, ascending: Sequence[float]) -> Lanes:
        """c0 + c1 x + c2 x^2 + ... by Horner's rule, for even and odd powers apart if there are many."""
        if len(ascending) < _MANY_TERMS:
            return self._horner(ascending)
        square = self * self
        return square._horner(ascending[1::2]).fma(self, square._horner(ascending[::2]))

    def _horner(self, ascending: Sequence[float]) -> Lanes:
        *rest, last = ascending
        total = self.like(last)
        for coefficient in reversed(rest):
            total = total.fma(self, coefficient)
        return total


def any_lane(f: Function, condition: V) -> V:
    """Whether an i1 holds in any lane."""
    if condition.lanes == 1:
        return condition
    return f.call(f"llvm.vector.reduce.or.{mangle(condition.type)}", "i1", condition)
