"""Trigonometric functions and their inverses as polynomials, for float and double.

Must not know element types of tensors or kernels.
"""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm.angle import modulo_half_pi
from sardonyx.llvm.coefficients import PI, PI_REST
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.mathfn import table


def sin(x: Lanes, target: Target) -> Lanes:
    """Sine of an angle of any size."""
    del target
    return _sine(x, 0)


def cos(x: Lanes, target: Target) -> Lanes:
    """Cosine of an angle of any size."""
    del target
    return _sine(x, 1)


def _sine(x: Lanes, quarters: int) -> Lanes:
    """sin(x + quarters * pi/2)."""
    c = table(x)
    r, n = modulo_half_pi(x, c)
    if quarters:
        n = n + quarters
    z = r * r
    sine = (r * z).fma(z.polynomial(c.sin), r).copysign(r)
    cosine = (z * z).fma(z.polynomial(c.cos), z.fma(-0.5, 1.0))
    y = (n & 1).not_zero().choose(cosine, sine)
    width = c.mantissa_bits + (12 if c.scalar == "double" else 9)
    return (y.bits() ^ ((n & 2) << (width - 2))).bits(c.scalar)


def tan(x: Lanes, target: Target) -> Lanes:
    """Tangent of an angle of any size."""
    del target
    c = table(x)
    r, n = modulo_half_pi(x, c)
    z = r * r
    t = (r * z).fma(z.polynomial(c.tan), r)
    return (n & 1).not_zero().choose(-1.0 / t, t)


def asin(x: Lanes, target: Target) -> Lanes:
    """Inverse sine; NaN beyond 1."""
    del target
    a = x.abs()
    near, y = _asin_reduced(a)
    return near.choose(y, (PI / 2 - (y + y - _rest(x) / 2))).copysign(x)


def acos(x: Lanes, target: Target) -> Lanes:
    """Inverse cosine; NaN beyond 1."""
    del target
    near, y = _asin_reduced(x.abs())
    middle = PI / 2 - (y.copysign(x) - _rest(x) / 2)
    twice = y + y
    far = (x < 0.0).choose(PI - (twice - _rest(x)), twice)
    return near.choose(middle, far)


def _rest(x: Lanes) -> float:
    return PI_REST[x.v.scalar]


def _asin_reduced(a: Lanes) -> tuple[Lanes, Lanes]:
    """(a < 1/2, then asin(a), else asin(sqrt((1 - a) / 2)))."""
    near = a < 0.5
    half = a.fma(-0.5, 0.5)
    z = near.choose(a * a, half)
    s = near.choose(a, half.sqrt())
    return near, (s * z).fma(z.polynomial(table(a).asin), s)


def atan(x: Lanes, target: Target) -> Lanes:
    """Inverse tangent: of |x|, (|x| - 1) / (|x| + 1) or -1 / |x|, so that the argument is below tan(pi/8)."""
    del target
    a = x.abs()
    middle, far = a > 0.4142135623730951, a > 2.414213562373095
    above = far.choose(a.like(-1.0), middle.choose(a - 1.0, a))
    below = far.choose(a, middle.choose(a + 1.0, 1.0))
    t = above / below
    z = t * t
    high = far.choose(a.like(PI / 2), middle.choose(a.like(PI / 4), 0.0))
    low = far.choose(a.like(_rest(x) / 2), middle.choose(a.like(_rest(x) / 4), 0.0))
    return (high + ((t * z).fma(z.polynomial(table(x).atan), low) + t)).copysign(x)
