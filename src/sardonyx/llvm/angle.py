"""Reduces angles modulo pi/2: in the format itself for common sizes, with all digits of 2/pi for large ones.

Must not know which function is computed.
"""

from __future__ import annotations

from itertools import pairwise

from sardonyx.llvm.coefficients import TWO_OVER_PI, Coefficients
from sardonyx.llvm.lanes import Lanes, any_lane
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_REDUCE = "sdx_reduce_angle"
_RESULT = "{ double, i64 }"


def modulo_half_pi(x: Lanes, c: Coefficients) -> tuple[Lanes, Lanes]:
    """(r, n) with x = n * pi/2 + r and |r| <= pi/4; only the two lowest bits of the integers n count."""
    f = x.f
    magic = x.fma(0.6366197723675814, c.magic)
    n = magic - c.magic
    r = x
    for part in c.half_pi:
        r = n.fma(-part, r)
    near_r, near_n = r.v, magic.bits().v
    large = any_lane(f, (x.abs() > c.reduce_limit).v)
    before, far, done = f.label, f.new_label("far"), f.new_label("done")
    f.branch(large, far, done)
    f.start(far)
    far_r, far_n = _each_lane(x, near_r, near_n, c.reduce_limit)
    after = f.label
    f.jump(done)
    f.start(done)
    return (
        Lanes(f, f.phi((near_r, before), (far_r, after))),
        Lanes(f, f.phi((near_n, before), (far_n, after))),
    )


def _each_lane(x: Lanes, r: V, n: V, limit: float) -> tuple[V, V]:
    """r and n with the lanes replaced in which |x| is above the limit."""
    f, lanes, scalar, whole = x.f, x.v.lanes, x.v.scalar, n.scalar
    _define(f.module)
    xs, rs, ns = f.alloca(scalar, lanes), f.alloca(scalar, lanes), f.alloca(whole, lanes)
    for value, place in ((x.v, xs), (r, rs), (n, ns)):
        f.store(value, place, 64)
    with f.loop(int_(0), int_(lanes)) as loop:
        one = Lanes(f, f.load(f.gep(xs, loop.index, scalar), scalar))
        with f.when((one.abs() > limit).v):
            pair = f.value(_RESULT, f"call {_RESULT} @{_REDUCE}({f.convert('fpext', one.v, 'double')})")
            rest = f.value("double", f"extractvalue {pair}, 0")
            count = f.value("i64", f"extractvalue {pair}, 1")
            f.store(f.convert("fptrunc", rest, scalar), f.gep(rs, loop.index, scalar))
            f.store(f.convert("trunc", count, whole), f.gep(ns, loop.index, whole))
    return f.load(rs, r.type, 64), f.load(ns, n.type, 64)


def _define(module: Module) -> None:
    """`{ double r, i64 n } sdx_reduce_angle(double x)` for |x| >= 1024, by the method of Payne and Hanek.

    With x = m * 2^e, the digits of 2/pi above 2^(2 - e) only add multiples of 4 to n. The 192 digits from
    there times m give n in the two highest bits, and a fraction that is exact to more than 120 bits.
    """
    if module.has(_REDUCE):
        return
    f = Function(module, _REDUCE, [("x", "double")], _RESULT, internal=True, attributes="noinline nounwind")
    (x,) = f.params
    raw = f.bitcast(x, "i64")
    exponent = f.binary("and", f.binary("lshr", raw, int_(52)), int_(2047))
    m = f.binary("or", f.binary("and", raw, int_((1 << 52) - 1)), int_(1 << 52))
    position = f.sub(exponent, int_(1075 - 62))
    known = f.icmp("slt", exponent, int_(2047))
    start = f.select(known, position, int_(0))
    high, middle = _product(f, _digits(f, start), m)
    quarter = f.add(high, int_(1 << 61))
    n = f.binary("lshr", quarter, int_(62))
    fraction = _signed_fraction(f, high, middle)
    r = f.select(known, fraction, float_(float("nan"), "double"))
    negative = f.icmp("slt", raw, int_(0))
    r = f.select(negative, f.value("double", f"fneg {r}"), r)
    n = f.select(negative, f.binary("sub", int_(0), n), n)
    first = f.value(_RESULT, f"insertvalue {_RESULT} poison, {r}, 0")
    f.ret(f.value(_RESULT, f"insertvalue {first}, {n}, 1"))
    f.finish()


def _digits(f: Function, start: V) -> list[V]:
    """Three words of digits of 2/pi from bit `start` of the table, the highest first."""
    table = f.module.table("sdx_two_over_pi", "i64", [int_(word) for word in TWO_OVER_PI])
    first = f.gep(table, f.binary("lshr", start, int_(6)), "i64")
    words = [f.load(f.gep(first, int_(i), "i64"), "i64") for i in range(4)]
    shift = f.binary("and", start, int_(63))
    return [f.call("llvm.fshl.i64", "i64", a, b, shift) for a, b in pairwise(words)]


def _product(f: Function, digits: list[V], m: V) -> tuple[V, V]:
    """The two highest of the three words of digits * m."""
    wide = f.convert("zext", m, "i128")
    low = f.binary("mul", f.convert("zext", digits[2], "i128"), wide)
    carried = f.binary("lshr", low, int_(64, "i128"))
    middle = f.binary("add", f.binary("mul", f.convert("zext", digits[1], "i128"), wide), carried)
    above = f.convert("trunc", f.binary("lshr", middle, int_(64, "i128")), "i64")
    return f.binary("add", f.binary("mul", digits[0], m), above), f.convert("trunc", middle, "i64")


def _signed_fraction(f: Function, high: V, middle: V) -> V:
    """The 126 bits below the two highest as an angle in [-pi/4, pi/4]."""
    top = f.convert("zext", high, "i128")
    joined = f.binary("or", f.binary("shl", top, int_(64, "i128")), f.convert("zext", middle, "i128"))
    signed = f.binary("shl", joined, int_(2, "i128"))
    size = f.call("llvm.abs.i128", "i128", signed, int_(0, "i1"))
    zeros = f.call("llvm.ctlz.i128", "i128", size, int_(0, "i1"))
    mantissa = f.binary("lshr", f.binary("shl", size, zeros), int_(64, "i128"))
    # The integer is 2^63 or more, so it is converted as a signed one that lost its lowest bit.
    half = f.binary("lshr", f.convert("trunc", mantissa, "i64"), int_(1))
    number = f.convert("sitofp", half, "double")
    exponent = f.binary("sub", int_(1023 - 63), f.convert("trunc", zeros, "i64"))
    unit = f.bitcast(f.binary("shl", exponent, int_(52)), "double")
    fraction = Lanes(f, f.binary("fmul", number, unit))

    angle = fraction.fma(1.5707963267948966, fraction * 6.123233995736766e-17)
    negative = f.icmp("slt", signed, int_(0, "i128"))
    return f.select(negative, (-angle).v, angle.v)
