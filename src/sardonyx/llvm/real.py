"""Division, remainder, extrema and sign of floats, with the results numpy has for NaN, infinities and zeros.

Must not know element types of tensors or kernels.
"""

from __future__ import annotations

import math
import struct

from sardonyx.llvm.lanes import Lanes, any_lane


def literal_of(x: Lanes) -> float | None:
    """The number of a float constant that is the same in all lanes; None for other values."""
    text = x.v.text.removeprefix(f"splat ({x.v.scalar} ").removesuffix(")")
    if text == "zeroinitializer":
        return 0.0
    if not text.startswith("0x"):
        return None
    return float(struct.unpack(">d", bytes.fromhex(text[2:]))[0])


def divide(a: Lanes, b: Lanes) -> Lanes:
    """Divide; a multiplication where the divisor is a literal power of two."""
    known = literal_of(b) or 0.0
    exact = 2.0**-100 < abs(known) < 2.0**100 and abs(math.frexp(known)[0]) == 0.5
    return a * (1.0 / known) if exact else a / b


def extremum(a: Lanes, b: Lanes, *, largest: bool) -> Lanes:
    """The larger or smaller one; NaN wins."""
    for bound, x in ((b, a), (a, b)):
        known = literal_of(bound)
        if known is not None and not math.isnan(known):
            return x.at_least(bound) if largest else x.at_most(bound)
    winner = ((a > b) if largest else (a < b)).choose(a, b)
    return a.is_nan().choose(a, winner)


def sign(x: Lanes) -> Lanes:
    """-1, 0 or 1; NaN stays NaN."""
    nonzero = Lanes(x.f, x.f.fcmp("one", x.v, x.like(0.0).v))
    return nonzero.choose(x.like(1.0).copysign(x), x + 0.0)


def remainder(a: Lanes, b: Lanes, *, floored: bool) -> Lanes:
    """a - b * q for whole q, exact: the sign is that of b if `floored`, else that of a.

    Each step subtracts the leading bits of the quotient times b, which one FMA does without rounding.
    """
    f = a.f
    divisor = b.abs()
    with f.repeat(lambda r: any_lane(f, (Lanes(f, r).abs() >= divisor).v), [a.abs().v]) as loop:
        r = Lanes(f, loop.carried[0])
        loop.next((r.abs() >= divisor).choose(_reduced(r, divisor), r).v)
    rest = Lanes(f, loop.carried[0])
    rest = (rest < 0.0).choose(rest + divisor, rest).copysign(a)
    rest = divisor.is_nan().choose(divisor, rest)
    if not floored:
        return rest
    opposite = (rest < 0.0) ^ (b < 0.0)
    return rest.equals(0.0).choose(rest.copysign(b), opposite.choose(rest + b, rest))


def _reduced(r: Lanes, divisor: Lanes) -> Lanes:
    """r minus a multiple of the divisor that leaves at most a few bits less than a mantissa."""
    step = 2.0**1000 if r.v.scalar == "double" else 2.0**100
    size = r.abs() * (1.0 / step)
    for _ in range(2):
        divisor = (size > divisor).choose(divisor * step, divisor)
    return (-(r / divisor).unary("trunc")).fma(divisor, r)
