"""Integer division, remainder, power and shifts that never trap and have no undefined results.

Decides how vectors are divided. Must not know element types of tensors beyond signedness.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sardonyx.llvm.lanes import Lanes, any_lane
from sardonyx.llvm.types import mangle
from sardonyx.llvm.vec import Function, V, int_

Fail = Callable[[str, V], None]

_LITERAL = re.compile(r"(?:splat \(i\d+ )?(-?\d+)\)?")


def literal_of(value: V) -> int | None:
    """The number of an integer constant that is the same in all lanes; None for other values."""
    if value.text in ("zeroinitializer", "false"):
        return 0
    if value.text == "true":
        return 1
    match = _LITERAL.fullmatch(value.text)
    return int(match[1]) if match else None


def divide(f: Function, a: V, b: V, signed: bool, mask: V | None, fail: Fail | None) -> V:
    """Divide toward zero; 0 for a zero divisor, reported to `fail` if its lane is active."""
    known = literal_of(b)
    if known:
        return _divide_by(f, a, b, known, signed)
    zero = f.icmp("eq", b, int_(0, b.type))
    if fail is not None:
        fail("div0", any_lane(f, zero if mask is None else f.binary("and", zero, mask)))
    quotient = _quotient(f, a, b, zero, signed)
    return f.select(zero, int_(0, a.type), quotient)


def _divide_by(f: Function, a: V, b: V, known: int, signed: bool) -> V:
    if signed and known == -1:
        return f.binary("sub", int_(0, a.type), a)
    return f.binary("sdiv" if signed else "udiv", a, b)


def _quotient(f: Function, a: V, b: V, zero: V, signed: bool) -> V:
    """Divide toward zero; anything where `zero` holds."""
    special = zero
    if signed:
        minus = f.icmp("eq", b, int_(-1, b.type))
        special = f.binary("or", zero, minus)
    safe = f.select(special, int_(1, b.type), b)
    quotient = _safe_quotient(f, a, safe, signed)
    return f.select(minus, f.binary("sub", int_(0, a.type), a), quotient) if signed else quotient


def _safe_quotient(f: Function, a: V, b: V, signed: bool) -> V:
    """Vectors of up to 32 bits divide as floats: the truncated rounded quotient is exact."""
    bits = int(a.scalar[1:])
    if a.lanes == 1 or bits == 64:
        return f.binary("sdiv" if signed else "udiv", a, b)
    real = "double" if bits == 32 else "float"
    up, down = ("sitofp", "fptosi") if signed else ("uitofp", "fptoui")
    quotient = f.binary("fdiv", f.convert(up, a, real), f.convert(up, b, real))
    if bits == 32:
        return f.convert(down, quotient, a.scalar)
    return f.convert("trunc", f.convert("fptosi", quotient, "i32"), a.scalar)


def remainder(f: Function, a: V, b: V, signed: bool, *, floored: bool) -> V:
    """a - b * (a / b): the sign is that of b if `floored`, else that of a; 0 for a zero divisor."""
    known = literal_of(b)
    if known:
        quotient = _divide_by(f, a, b, known, signed)
        zero = None
    else:
        zero = f.icmp("eq", b, int_(0, b.type))
        quotient = _quotient(f, a, b, zero, signed)
    rest = f.binary("sub", a, f.binary("mul", quotient, b))
    if signed and floored:
        none = int_(0, a.type)
        opposite = f.icmp("slt", f.binary("xor", rest, b), none)
        adjust = f.binary("and", opposite, f.icmp("ne", rest, none))
        rest = f.select(adjust, f.binary("add", rest, b), rest)
    return rest if zero is None else f.select(zero, int_(0, a.type), rest)


def shift(f: Function, a: V, b: V, op: str) -> V:
    """Shift a by b (`shl`, `lshr` or `ashr`).

    If b is the width or more, or negative, `ashr` leaves copies of the sign, the others leave 0.
    """
    bits = int(a.scalar[1:])
    if op == "ashr":
        last = int_(bits - 1, a.type)
        return f.binary(op, a, f.call(f"llvm.umin.{mangle(a.type)}", a.type, b, last))
    known = literal_of(b)
    if known is not None:
        return f.binary(op, a, b) if 0 <= known < bits else int_(0, a.type)
    inside = f.icmp("ult", b, int_(bits, b.type))
    amount = f.select(inside, b, int_(0, b.type))
    return f.select(inside, f.binary(op, a, amount), int_(0, a.type))


def power(f: Function, a: V, b: V, signed: bool) -> V:
    """Raise a to the power b, wrapping; negative exponents truncate toward zero."""
    known = literal_of(b)
    if known is not None and 0 <= known <= 64:
        return _power_of_literal(f, a, known)
    x, n = Lanes(f, a), Lanes(f, b)
    count = n.at_least(0) if signed else n
    with f.repeat(lambda _r, _p, e: any_lane(f, Lanes(f, e).not_zero().v), [x.like(1).v, a, count.v]) as loop:
        r, p, e = (Lanes(f, v) for v in loop.carried)
        loop.next((e & 1).not_zero().choose(r * p, r).v, (p * p).v, e.shift_right(1).v)
    r = Lanes(f, loop.carried[0])
    if not signed:
        return r.v
    odd = (n & 1).not_zero()
    inverse = x.equals(1).choose(x.like(1), x.equals(-1).choose(odd.choose(x.like(-1), x.like(1)), x.like(0)))
    return (n < 0).choose(inverse, r).v


def _power_of_literal(f: Function, a: V, n: int) -> V:
    if n == 0:
        return int_(1, a.type)
    result: V | None = None
    while True:
        if n & 1:
            result = a if result is None else f.binary("mul", result, a)
        n >>= 1
        if not n:
            assert result is not None
            return result
        a = f.binary("mul", a, a)
