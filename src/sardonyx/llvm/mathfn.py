"""Exponential functions, logarithm and error function as polynomials, for float and double.

Decides how each function is reduced to a polynomial of `coefficients`; without calls and tables.
Must not know element types of tensors or kernels.
"""

from __future__ import annotations

import math

from sardonyx.base.target import Target
from sardonyx.llvm import coefficients
from sardonyx.llvm.coefficients import Coefficients
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.segments import has_segments, in_segments
from sardonyx.llvm.vec import V


def table(x: Lanes) -> Coefficients:
    """The coefficients for this value's type."""
    return coefficients.DOUBLE if x.v.scalar == "double" else coefficients.FLOAT


def exp(x: Lanes, target: Target) -> Lanes:
    """e^x; error below 1 ulp."""
    return exp_times_power(x, target, 0)


def exp_times_power(x: Lanes, target: Target, power: int) -> Lanes:
    """e^x * 2^power without overflow in between, for |power| <= 2."""
    return exp_below_high(x.at_most(table(x).exp_high), target, power)


def exp_below_high(x: Lanes, target: Target, power: int = 0) -> Lanes:
    """e^x * 2^power of x that is NaN or not so large that e^x overflows."""
    c = table(x)
    x = x.at_least(c.exp_low)
    if splits_floats(x, target):
        n = (x * c.log2_e).round()
        return scale(_exp_reduced(x, n), n if power == 0 else n + power, target)
    # 2^n is the product of two normal powers. Their biased exponents stand in the lowest bits of `half` and
    # of `whole - half`.
    center = c.magic + (2 * c.exponent_bias + power)
    whole = x.fma(c.log2_e, center)
    half = x.fma(c.log2_e / 2, c.magic + c.exponent_bias)
    p = _exp_reduced(x, whole - center)
    return p * _as_exponent(half.bits(), c) * _as_exponent(whole.bits() - half.bits(), c)


def _exp_reduced(x: Lanes, n: Lanes) -> Lanes:
    c = table(x)
    r = n.fma(-c.ln2_low, n.fma(-c.ln2_high, x))
    return r.polynomial(c.exp)


def _as_exponent(n: Lanes, c: Coefficients) -> Lanes:
    return (n << c.mantissa_bits).bits(c.scalar)


def _expm1(x: Lanes) -> Lanes:
    """e^x - 1 for x whose e^x is normal and finite; NaN stays NaN."""
    c = table(x)
    center = c.magic + c.exponent_bias
    magic = x.fma(c.log2_e, center)
    r = (magic - center).fma(-(c.ln2_high + c.ln2_low), x)
    q = (r * r).fma(r.polynomial(c.expm1), r)
    power = _as_exponent(magic.bits(), c)
    return power.fma(q, power - 1.0)


def scale(x: Lanes, n: Lanes, target: Target) -> Lanes:
    """Multiply by 2^n, n whole and up to twice the exponent range; for |x| about 1 it is rounded once."""
    if splits_floats(x, target):
        return _instruction("scale", [x, n], target)
    c = table(x)
    half = n.fma(0.5, c.magic + c.exponent_bias)
    whole = n + (c.magic + 2 * c.exponent_bias)
    return x * _as_exponent(half.bits(), c) * _as_exponent(whole.bits() - half.bits(), c)


def splits_floats(x: Lanes, target: Target) -> bool:
    """Whether the machine takes this vector's floats apart, and scales them, by instructions of its own."""
    return x.v.lanes > 1 and target.instruction("exponent") is not None


def _instruction(operation: str, sources: list[Lanes], target: Target) -> Lanes:
    """An instruction of the machine, split over as many registers as needed."""
    f, type_, lanes = sources[0].f, sources[0].v.type, sources[0].v.lanes
    row = target.instruction(operation, type_)
    if row is None:
        parts = [[Lanes(f, half) for half in _halves(s)] for s in sources]
        low = _instruction(operation, [p[0] for p in parts], target)
        high = _instruction(operation, [p[1] for p in parts], target)
        return Lanes(f, f.shuffle(low.v, high.v, range(lanes)))
    operands = [sources[o].v if isinstance(o, int) else V(*reversed(o.split())) for o in row.operands]
    return Lanes(f, f.call(row.name, type_, *operands))


def _halves(x: Lanes) -> tuple[V, V]:
    lanes = x.v.lanes
    return (
        x.f.shuffle(x.v, x.v, range(lanes // 2)),
        x.f.shuffle(x.v, x.v, range(lanes // 2, lanes)),
    )


def sigmoid(x: Lanes, target: Target) -> Lanes:
    """e^x / (1 + e^x), which keeps small results."""
    c = table(x)
    e = exp_below_high(x.at_most(c.exp_high - 2.0), target)
    return e / (e + 1.0)


def tanh(x: Lanes, target: Target) -> Lanes:
    """Hyperbolic tangent: u / (u + 2) with u = e^2|x| - 1."""
    del target
    size = x.abs().at_most(table(x).tanh_one)
    u = _expm1(size + size)
    return (u / (u + 2.0)).copysign(x)


def erf(x: Lanes, target: Target) -> Lanes:
    """Error function: 1 - e^Q(|x|) with a polynomial Q."""
    del target
    c = table(x)
    size = x.abs().at_most(c.erf_one)
    return _expm1(size.fma(size.polynomial(c.erf), -size)).copysign(x)


def gelu(x: Lanes, target: Target) -> Lanes:
    """x times the share P of normal variables up to x: 1 - 2^Q(|x|) above 0, 2^Q(|x|) below."""
    c = table(x)
    if not c.gelu:
        return x * ((erf(x * math.sqrt(0.5), target) + 1.0) * 0.5)
    if has_segments(x, target):
        return _gelu_in_segments(x, target, c)
    exponent = x.abs().polynomial(c.gelu).at_least(-float(c.exponent_bias))
    center = c.magic + c.exponent_bias
    magic = exponent + center
    share = (exponent - (magic - center)).polynomial(c.exp2) * _as_exponent(magic.bits(), c)
    return x * (x > 0.0).choose(1.0 - share, share)


def _gelu_in_segments(x: Lanes, target: Target, c: Coefficients) -> Lanes:
    """max(x, 0) - |x| P(-|x|); NaN at -inf, where that is inf - inf, as -inf * 0 is."""
    size = x.abs()
    above = x.fma(0.5, size * 0.5)
    near, share = in_segments(size, c.share, 0.5, target)
    return (-near).fma(share, above)


def log(x: Lanes, target: Target) -> Lanes:
    """Natural logarithm; NaN below zero, -inf at zero."""
    c = table(x)
    m, e = split(x, target)
    f = m - 1.0
    z = f * f
    tail = (f * z).fma(f.polynomial(c.log), e * c.ln2_low)
    return _repaired(x, e.fma(c.ln2_high, z.fma(-0.5, tail) + f), target)


def log1p(u: Lanes, target: Target) -> Lanes:
    """log(1 + u) for u >= 0, without losing a small u."""
    y = u + 1.0
    lost = (u < 1.0).choose(u - (y - 1.0), 1.0 - (y - u))
    correction = (y < float("inf")).choose(lost / y, 0.0)
    return log(y, target) + correction


def sinh(x: Lanes, target: Target) -> Lanes:
    """Hyperbolic sine: a polynomial below 1, e^|x|/2 - e^-|x|/2 elsewhere."""
    z = x * x
    small = (x * z).fma(z.polynomial(table(x).sinh), x)
    half = exp_times_power(x.abs(), target, -1)
    return (x.abs() >= 1.0).choose((half - 0.25 / half).copysign(x), small)


def cosh(x: Lanes, target: Target) -> Lanes:
    """Hyperbolic cosine."""
    half = exp_times_power(x.abs(), target, -1)
    return half + 0.25 / half


def asinh(x: Lanes, target: Target) -> Lanes:
    """Inverse hyperbolic sine."""
    a = x.abs()
    large = a > _huge(x)
    z = large.choose(x.like(0.0), a * a)
    u = a + z / (1.0 + (z + 1.0).sqrt())
    return _with_log2(log1p(u, target), large).copysign(x)


def acosh(x: Lanes, target: Target) -> Lanes:
    """Inverse hyperbolic cosine; NaN below 1."""
    large = x > _huge(x)
    t = x - 1.0
    u = large.choose(t, t + t.fma(t, t + t).sqrt())
    return _with_log2((t >= 0.0).choose(log1p(u, target), x.like(float("nan"))), large)


def _huge(x: Lanes) -> float:
    return 2.0**60 if x.v.scalar == "double" else 2.0**30


def _with_log2(y: Lanes, condition: Lanes) -> Lanes:
    c = table(y)
    return condition.choose(y + (c.ln2_high + c.ln2_low), y)


def atanh(x: Lanes, target: Target) -> Lanes:
    """Inverse hyperbolic tangent; infinite at 1, NaN beyond."""
    a = x.abs()
    y = log1p((a + a) / (1.0 - a), target) * 0.5
    return (a <= 1.0).choose(y, x.like(float("nan"))).copysign(x)


def split(x: Lanes, target: Target) -> tuple[Lanes, Lanes]:
    """Mantissa and exponent: x = m * 2^e with m in [0.75, 1.5), for positive finite x."""
    if splits_floats(x, target):
        m = _instruction("mantissa", [x], target)
        return m, _instruction("exponent", [x], target) - _instruction("exponent", [m], target)
    c = table(x)
    tiny = x < c.smallest_normal
    raw = tiny.choose(x * c.two_to_mantissa, x).bits()
    e = (raw - c.three_quarters) >> c.mantissa_bits
    m = (raw - (e << c.mantissa_bits)).bits(c.scalar)
    exponent = e.convert("sitofp", c.scalar)
    return m, tiny.choose(exponent - float(c.mantissa_bits), exponent)


def _repaired(x: Lanes, y: Lanes, target: Target) -> Lanes:
    """The logarithm y of x with the right results at 0, below 0, and at infinity and NaN."""
    if splits_floats(x, target):
        return y
    y = (x < float("inf")).choose(y, x)
    y = (x < 0.0).choose(y.like(float("nan")), y)
    return x.equals(0.0).choose(y.like(float("-inf")), y)
