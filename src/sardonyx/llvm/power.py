"""x to the power y for floats, with every special case of C's `pow`.

Float powers are computed in double; double ones carry the logarithm in two doubles. Literal exponents
become multiplications and roots. Must not know element types of tensors or kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.llvm import coefficients, mathfn
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.real import literal_of

_LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
_THIRD = (1 / 3, 1.850371707708594e-17)
_LN2 = 0.6931471805599453

# log2(1 + f) / f on [-0.25, 0.5] to 2^-35, and e^r for |r| <= ln(2)/2 to 2^-29: enough for a result in float.
_LOG2_SHORT = (
    *(1.4426950409106578, -0.7213475208315907, 0.4808983326325431, -0.3606736534418363, 0.2885404287275333),
    *(
        -0.2404584200937779,
        0.20605684090585694,
        -0.18000356857713146,
        0.16050315692773134,
        -0.14920892052801493,
    ),
    *(0.13879394367464012, -0.10203990974553309, 0.03798831798320732),
)
_EXP_SHORT = (
    *(1.0000000005549898, 1.00000003636194, 0.49999992071118604, 0.16666419993506354, 0.04166822666390481),
    *(0.008374830721308638, 0.001383683230266997),
)
# (1 + f)^y on [-0.25, 0.5] to 2^-28, by y.
_QUARTERS_SHORT: dict[float, tuple[float, ...]] = {
    0.75: (
        1.0,
        0.750000021554971,
        -0.09375018409773278,
        0.039059919513696195,
        -0.021958355699954746,
        0.014342560030615615,
        -0.010478176421055781,
        0.007504165617863785,
        -0.0032419151204957485,
    ),
    -0.75: (
        1.0,
        -0.7499999236595637,
        0.6562505081591858,
        -0.6015770859754181,
        0.5639415347464146,
        -0.5350311759292015,
        0.5128166471494805,
        -0.5080394950745252,
        0.5126050387000493,
        -0.4215807323805568,
        0.1772880737057235,
    ),
}
# ((atanh(s)/s - 1) / z - 1/3) / z in z = s^2 on [0, 0.04].
_ATANH = (
    *(0.2, 0.1428571428571341, 0.11111111111359599, 0.09090909055069422, 0.07692310693366662),
    *(0.06666512053687403, 0.05887320483071655, 0.05166497579732229, 0.05792299724883114),
)


def power(x: Lanes, y: Lanes, target: Target) -> Lanes:
    """x^y; negative x needs a whole y, else NaN."""
    known = literal_of(y)
    if known is not None and known in _LITERALS:
        return _LITERALS[known](x)
    if known in _QUARTERS_SHORT:
        return _quarters(x, known, target)
    size = (_power_double if x.v.scalar == "double" else _power_float)(x.abs(), y, target)
    return _signed(x, y, _special(x, y, size))


def _root(x: Lanes) -> Lanes:
    """x^0.5: unlike the square root, +0 at -0 and infinite at -inf."""
    return x.equals(-math.inf).choose(x.like(math.inf), (x + 0.0).sqrt())


def _square(x: Lanes) -> Lanes:
    return x * x


_LITERALS: dict[float, Callable[[Lanes], Lanes]] = {
    0.0: lambda x: x.like(1.0),
    1.0: lambda x: x,
    2.0: _square,
    3.0: lambda x: x * x * x,
    4.0: lambda x: _square(x * x),
    0.5: _root,
    -1.0: lambda x: 1.0 / x,
    -2.0: lambda x: _square(1.0 / x),
    -0.5: lambda x: 1.0 / _root(x),
}


def _quarters(x: Lanes, y: float, target: Target) -> Lanes:
    """x^y of a y in `_QUARTERS_SHORT`: that of its mantissa, times a power of 2^(1/4), rounded twice."""
    if x.v.scalar == "double":
        size = _root(x) * _root(_root(x))
        return size if y > 0 else 1.0 / size
    m, e = mathfn.split(x.abs(), target)
    w = e * y
    n = w.unary("floor")
    rest, root = w - n, x.like(1.0)
    for quarters in (1, 2, 3):
        root = (rest > quarters / 4 - 0.125).choose(x.like(2.0 ** (quarters / 4)), root)
    found = mathfn.scale((m - 1.0).polynomial(_QUARTERS_SHORT[y]) * root, n, target)
    if not mathfn.splits_floats(x, target):
        zero, infinite = (0.0, math.inf) if y > 0 else (math.inf, 0.0)
        found = x.equals(0.0).choose(x.like(zero), found)
        found = x.abs().equals(math.inf).choose(x.like(infinite), found)
        found = x.is_nan().choose(x, found)
    return ((x < 0.0) & (x > -math.inf)).choose(x.like(math.nan), found)


def _special(x: Lanes, y: Lanes, size: Lanes) -> Lanes:
    """1 where C says so although a logarithm is infinite or NaN."""
    one = x.equals(1.0) | y.equals(0.0) | (x.equals(-1.0) & y.abs().equals(math.inf))
    return one.choose(x.like(1.0), size)


def _signed(x: Lanes, y: Lanes, size: Lanes) -> Lanes:
    """The size with the sign of x^y; NaN for finite x < 0 and y that is not whole."""
    whole = y.unary("trunc").equals(y)
    half = y * 0.5
    odd = whole & ~half.unary("trunc").equals(half)
    result = odd.choose(size.copysign(x), size)
    undefined = (x < 0.0) & (x > -math.inf) & ~whole
    return undefined.choose(x.like(math.nan), result)


def _power_float(a: Lanes, y: Lanes, target: Target) -> Lanes:
    """a^y for a >= 0 in double precision, rounded to float once."""
    x, exponent = a.convert("fpext", "double"), y.convert("fpext", "double")
    m, e = mathfn.split(x, target)
    f = m - 1.0
    log2 = _at_ends(x, f.fma(f.polynomial(_LOG2_SHORT), e))
    w = (log2 * exponent).at_least(-200.0).at_most(200.0)
    c = coefficients.DOUBLE
    magic = w + c.magic
    r = (w - (magic - c.magic)) * _LN2
    p = r.polynomial(_EXP_SHORT).bits() + (magic.bits() << c.mantissa_bits)
    # Adding to the bits of a NaN may make a number.
    return w.is_nan().choose(w, p.bits("double")).convert("fptrunc", "float")


def _at_ends(x: Lanes, log2: Lanes) -> Lanes:
    """A logarithm of x >= 0 that is right at 0, infinity and NaN too."""
    log2 = (x < math.inf).choose(log2, x)
    return x.equals(0.0).choose(x.like(-math.inf), log2)


def _two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b in two parts, for |a| >= |b|."""
    total = a + b
    return total, (a - total) + b


def _two_product(a: Lanes, b: Lanes | float) -> tuple[Lanes, Lanes]:
    """The product in two parts."""
    product = a * b
    return product, a.fma(b, -product)


def _multiply(a: tuple[Lanes, Lanes], b: tuple[Lanes | float, Lanes | float]) -> tuple[Lanes, Lanes]:
    """The product of two numbers in two parts each."""
    high, low = _two_product(a[0], b[0])
    return _two_sum(high, low + a[0].fma(b[1], a[1] * b[0]))


def _power_double(a: Lanes, y: Lanes, target: Target) -> Lanes:
    """a^y for a >= 0."""
    m, e = mathfn.split(a, target)
    high, low = _log2_of_mantissa(m)
    total, rest = _two_sum(e, high)
    near = e.equals(0.0)
    high, low = near.choose(high, total), near.choose(low, low + rest)
    log2 = _at_ends(a, high)
    w, error = _two_product(log2, y)
    error = low.fma(y, error)
    error = (w.abs() < 2000.0).choose(error, 0.0)
    w = w.at_least(-1200.0).at_most(1200.0)
    n = w.round()
    r = ((w - n) + error) * _LN2
    return mathfn.scale(r.polynomial(coefficients.DOUBLE.exp), n, target)


def _log2_of_mantissa(m: Lanes) -> tuple[Lanes, Lanes]:
    """log2(m) in two parts for m in [0.75, 1.5): 2 atanh((m - 1) / (m + 1)) / ln 2."""
    f = m - 1.0
    d = m + 1.0
    d_rest = m - (d - 1.0)
    s = f / d
    s_rest = (-s).fma(d_rest, (-s).fma(d, f)) / d
    z = _two_product(s, s)
    z = (z[0], s.fma(s_rest + s_rest, z[1]))
    u = z[0] * z[0].polynomial(_ATANH)
    p, p_rest = _two_sum(u.like(_THIRD[0]), u)
    q = _multiply(z, (p, p_rest + _THIRD[1]))
    t, t_rest = _two_sum(s.like(1.0), q[0])
    series = _multiply((s + s, s_rest + s_rest), (t, t_rest + q[1]))
    return _multiply(series, _LOG2_E)
