"""Instructions for the element-wise primitives, over scalars or vectors in compute types: a row for each.

Decides which instructions a primitive becomes. Must not know loops, memory or the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.llvm import convert, integer, mathfn, power, real, trig
from sardonyx.llvm.integer import Fail
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class ElementOp:
    """One use of a primitive: operands of equal lanes in their compute types, and where to report errors."""

    f: Function
    target: Target
    args: tuple[V, ...]
    types: tuple[DType, ...]
    result: DType
    attrs: Mapping[str, Any]
    mask: V | None
    fail: Fail | None

    @property
    def is_float(self) -> bool:
        """Whether the operands are floats."""
        return self.types[0].is_float

    @property
    def signed(self) -> bool:
        """Whether the operands are signed integers."""
        return self.types[0].kind == "i"

    def lanes(self) -> tuple[Lanes, ...]:
        """The operands with operators."""
        return tuple(Lanes(self.f, v) for v in self.args)


def apply(
    f: Function,
    target: Target,
    prim: str,
    args: Sequence[V],
    types: Sequence[DType],
    result: DType,
    attrs: Mapping[str, Any],
    mask: V | None,
    fail: Fail | None,
) -> V:
    """Write the instructions of a primitive and return its result in the compute type of `result`.

    Args:
        f: the function being written.
        target: the machine.
        prim: the primitive's name.
        args: operands in their compute types, all of the same number of lanes.
        types: element types of the operands.
        result: element type of the result.
        attrs: attributes of the primitive (`to` of casts).
        mask: i1 lanes that count; None for all.
        fail: receives an error code and the i1 whether it happened in a lane that counts.
    """
    return _ROWS[prim](ElementOp(f, target, tuple(args), tuple(types), result, attrs, mask, fail))


def _add(c: ElementOp) -> V:
    return _arithmetic(c, "fadd", "add", "or")


def _sub(c: ElementOp) -> V:
    return _arithmetic(c, "fsub", "sub", "xor")


def _mul(c: ElementOp) -> V:
    return _arithmetic(c, "fmul", "mul", "and")


def _arithmetic(c: ElementOp, real_op: str, whole: str, boolean: str) -> V:
    a, b = c.args
    if c.types[0] is dt.BOOL:
        return c.f.binary(boolean, a, b)
    return c.f.binary(real_op if c.is_float else whole, a, b)


def _div(c: ElementOp) -> V:
    a, b = c.args
    if c.is_float:
        return real.divide(*c.lanes()).v
    return integer.divide(c.f, a, b, c.signed, c.mask, c.fail)


def _mod(c: ElementOp) -> V:
    a, b = c.args
    if c.is_float:
        return real.remainder(*c.lanes(), floored=True).v
    return integer.remainder(c.f, a, b, c.signed, floored=True)


def _fmod(c: ElementOp) -> V:
    a, b = c.args
    if c.is_float:
        return real.remainder(*c.lanes(), floored=False).v
    return integer.remainder(c.f, a, b, c.signed, floored=False)


def _pow(c: ElementOp) -> V:
    a, b = c.args
    if c.is_float:
        exponent = convert.cast(c.f, c.target, b, c.types[1], dt.F64 if a.scalar == "double" else dt.F32)
        return power.power(Lanes(c.f, a), Lanes(c.f, exponent), c.target).v
    if c.types[1].is_float:
        base = Lanes(c.f, convert.cast(c.f, c.target, a, c.types[0], dt.F64))
        exponent = convert.cast(c.f, c.target, b, c.types[1], dt.F64)
        y = power.power(base, Lanes(c.f, exponent), c.target).v
        return convert.cast(c.f, c.target, y, dt.F64, c.types[0])
    exponent = convert.cast(c.f, c.target, b, c.types[1], c.types[0]) if c.types[1] is not c.types[0] else b
    return integer.power(c.f, a, exponent, c.signed)


def _extremum(c: ElementOp, *, largest: bool) -> V:
    if c.types[0] is dt.BOOL:
        return c.f.binary("or" if largest else "and", *c.args)
    if c.is_float:
        return real.extremum(*c.lanes(), largest=largest).v
    name = ("s" if c.signed else "u") + ("max" if largest else "min")
    type_ = c.args[0].type
    return c.f.call(f"llvm.{name}.{mangle(type_)}", type_, *c.args)


def _max(c: ElementOp) -> V:
    return _extremum(c, largest=True)


def _min(c: ElementOp) -> V:
    return _extremum(c, largest=False)


def _neg(c: ElementOp) -> V:
    return (-c.lanes()[0]).v


def _abs(c: ElementOp) -> V:
    x = c.args[0]
    if c.is_float:
        return Lanes(c.f, x).abs().v
    if not c.signed:
        return x
    return c.f.call(f"llvm.abs.{mangle(x.type)}", x.type, x, int_(0, "i1"))


def _sign(c: ElementOp) -> V:
    (x,) = c.lanes()
    if c.is_float:
        return real.sign(x).v
    if not c.signed:
        return c.f.convert("zext", x.not_zero().v, x.v.scalar)
    negative = x >> (int(x.v.scalar[1:]) - 1)
    return (negative | (x > 0).convert("zext", x.v.scalar)).v


def _integral(intrinsic: str) -> Callable[[ElementOp], V]:
    return lambda c: Lanes(c.f, c.args[0]).unary(intrinsic).v if c.is_float else c.args[0]


def _math(fn: Callable[[Lanes, Target], Lanes]) -> Callable[[ElementOp], V]:
    return lambda c: fn(c.lanes()[0], c.target).v


def _compare(real_op: str, whole: str) -> Callable[[ElementOp], V]:
    def compare(c: ElementOp) -> V:
        a, b = c.args
        if c.is_float:
            return c.f.fcmp(real_op, a, b)
        prefix = "" if whole == "eq" else "s" if c.signed else "u"
        return c.f.icmp(prefix + whole, a, b)

    return compare


def _logical(op: str) -> Callable[[ElementOp], V]:
    def logical(c: ElementOp) -> V:
        truths = [x.v if x.v.scalar == "i1" else x.not_zero().v for x in c.lanes()]
        if op == "not":
            return c.f.binary("xor", truths[0], int_(1, truths[0].type))
        return c.f.binary(op, *truths)

    return logical


def _bitwise(op: str) -> Callable[[ElementOp], V]:
    return lambda c: c.f.binary(op, *c.args)


def _bitnot(c: ElementOp) -> V:
    x = c.args[0]
    return c.f.binary("xor", x, int_(1 if x.scalar == "i1" else -1, x.type))


def _shl(c: ElementOp) -> V:
    a, b = c.args
    return integer.shift(c.f, a, b, "shl")


def _shr(c: ElementOp) -> V:
    a, b = c.args
    return integer.shift(c.f, a, b, "ashr" if c.signed else "lshr")


def _isnan(c: ElementOp) -> V:
    (x,) = c.lanes()
    return x.is_nan().v if c.is_float else int_(0, vector_of("i1", x.v.lanes))


def _isinf(c: ElementOp) -> V:
    (x,) = c.lanes()
    return x.abs().equals(float("inf")).v if c.is_float else int_(0, vector_of("i1", x.v.lanes))


def _where(c: ElementOp) -> V:
    return c.f.select(*c.args)


def _cast(c: ElementOp) -> V:
    return convert.cast(c.f, c.target, c.args[0], c.types[0], c.attrs["to"])


def _bitcast(c: ElementOp) -> V:
    return convert.bitcast(c.f, c.target, c.args[0], c.types[0], c.attrs["to"])


_ROWS: dict[str, Callable[[ElementOp], V]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "mod": _mod,
    "fmod": _fmod,
    "pow": _pow,
    "max": _max,
    "min": _min,
    "neg": _neg,
    "abs": _abs,
    "sign": _sign,
    "floor": _integral("floor"),
    "ceil": _integral("ceil"),
    "round": _integral("roundeven"),
    "trunc": _integral("trunc"),
    "sqrt": _math(lambda x, _: x.sqrt()),
    "exp": _math(mathfn.exp),
    "log": _math(mathfn.log),
    "sin": _math(trig.sin),
    "cos": _math(trig.cos),
    "tan": _math(trig.tan),
    "asin": _math(trig.asin),
    "acos": _math(trig.acos),
    "atan": _math(trig.atan),
    "sinh": _math(mathfn.sinh),
    "cosh": _math(mathfn.cosh),
    "asinh": _math(mathfn.asinh),
    "acosh": _math(mathfn.acosh),
    "atanh": _math(mathfn.atanh),
    "tanh": _math(mathfn.tanh),
    "erf": _math(mathfn.erf),
    "gelu": _math(mathfn.gelu),
    "sigmoid": _math(mathfn.sigmoid),
    "eq": _compare("oeq", "eq"),
    "lt": _compare("olt", "lt"),
    "le": _compare("ole", "le"),
    "and": _logical("and"),
    "or": _logical("or"),
    "xor": _logical("xor"),
    "not": _logical("not"),
    "bitand": _bitwise("and"),
    "bitor": _bitwise("or"),
    "bitxor": _bitwise("xor"),
    "bitnot": _bitnot,
    "shl": _shl,
    "shr": _shr,
    "isnan": _isnan,
    "isinf": _isinf,
    "where": _where,
    "cast": _cast,
    "bitcast": _bitcast,
}
