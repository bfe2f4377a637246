"""Operators that compute each element alone: arithmetic, comparison, logic, bits, conversion.

Activations are in `activation.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, make, map_, scalar
from sardonyx.ops.demands import element_type
from sardonyx.ops.table import op

_UNARY = (
    *(("Abs", 1, "abs"), ("Neg", 1, "neg"), ("Floor", 1, "floor"), ("Ceil", 1, "ceil"), ("Sqrt", 1, "sqrt")),
    *(
        ("Exp", 1, "exp"),
        ("Log", 1, "log"),
        ("Tanh", 1, "tanh"),
        ("Sigmoid", 1, "sigmoid"),
        ("Not", 1, "not"),
    ),
    *(("Sin", 7, "sin"), ("Cos", 7, "cos"), ("Tan", 7, "tan"), ("Asin", 7, "asin"), ("Acos", 7, "acos")),
    *(
        ("Atan", 7, "atan"),
        ("Sinh", 9, "sinh"),
        ("Cosh", 9, "cosh"),
        ("Asinh", 9, "asinh"),
        ("Acosh", 9, "acosh"),
    ),
    *(("Atanh", 9, "atanh"), ("Sign", 9, "sign"), ("IsNaN", 9, "isnan")),
    *(("Round", 11, "round"), ("BitwiseNot", 18, "bitnot")),
)
_BINARY = (
    *(("Add", 7, "add"), ("Sub", 7, "sub"), ("Mul", 7, "mul"), ("Div", 7, "div"), ("Equal", 7, "eq")),
    *(("Less", 7, "lt"), ("LessOrEqual", 12, "le"), ("And", 7, "and"), ("Or", 7, "or"), ("Xor", 7, "xor")),
    *(("BitwiseAnd", 18, "bitand"), ("BitwiseOr", 18, "bitor"), ("BitwiseXor", 18, "bitxor")),
)
_LEGACY = (
    *(("Add", "add"), ("Sub", "sub"), ("Mul", "mul"), ("Div", "div"), ("Pow", "pow"), ("Equal", "eq")),
    *(("Less", "lt"), ("And", "and"), ("Or", "or"), ("Xor", "xor")),
)


def _unary(prim: str) -> Callable[[Value], Value]:
    return lambda x: map_(prim, x)


def _binary(prim: str) -> Callable[[Value, Value], Value]:
    return lambda a, b: map_(prim, a, b)


def _legacy(prim: str) -> Callable[..., Value]:
    def build(a: Value, b: Value, *, axis: int | None = None, broadcast: int = 0) -> Value:
        return map_(prim, a, aligned(a, b, axis) if broadcast else b)

    return build


def aligned(a: Value, b: Value, axis: int | None) -> Value:
    """`b` with axes of size 1 added so that its first axis meets `axis` of `a`, as opsets before 7 ask."""
    start = a.rank - b.rank if axis is None else a.axis(axis)
    if start < 0 or start + b.rank > a.rank:
        raise ShapeError(f"shape {list(b.shape)} does not fit axis {axis} of {list(a.shape)}")
    return b.reshape(b.shape + (1,) * (a.rank - start - b.rank))


for _name, _since, _prim in _UNARY:
    op(_name, _since)(_unary(_prim))
for _name, _since, _prim in _BINARY:
    op(_name, _since)(_binary(_prim))
for _name, _prim in _LEGACY:
    op(_name, 1)(_legacy(_prim))


@op("Greater", since=1)
def greater_aligned(a: Value, b: Value, *, axis: int | None = None, broadcast: int = 0) -> Value:
    """a > b, b aligned at an axis."""
    return (aligned(a, b, axis) if broadcast else b).lt(a)


@op("Greater", since=7)
def greater(a: Value, b: Value) -> Value:
    """a > b."""
    return b.lt(a)


@op("GreaterOrEqual", since=12)
def greater_or_equal(a: Value, b: Value) -> Value:
    """a >= b."""
    return b.le(a)


@op("Reciprocal", since=1)
def reciprocal(x: Value) -> Value:
    """1 / x."""
    return 1 / x


@op("Erf", since=9)
def erf(x: Value) -> Value:
    """The error function; of integers in float64, truncated."""
    return x.unary("erf") if x.dtype.is_float else x.cast(dt.F64).unary("erf").cast(x.dtype)


@op("Pow", since=7)
def power(x: Value, y: Value) -> Value:
    """x ** y in the type of x; an integer to a real power is computed in float64 and truncated."""
    if x.dtype is y.dtype or (x.dtype.is_int and y.dtype.is_int) or x.dtype.is_float:
        return x.pow(y.cast(x.dtype))
    return x.cast(dt.F64).pow(y.cast(dt.F64)).cast(x.dtype)


@op("Mod", since=10)
def modulo(a: Value, b: Value, *, fmod: int = 0) -> Value:
    """The remainder with the sign of b, or of a with fmod (as C has it)."""
    return map_("fmod" if fmod else "mod", a, b)


@op("Sum", since=1)
def add_all(*xs: Value) -> Value:
    """The sum of all inputs."""
    return reduce(Value.__add__, xs)


@op("Mean", since=1)
def mean(*xs: Value) -> Value:
    """The mean of all inputs."""
    return reduce(Value.__add__, xs) * scalar(1 / len(xs), xs[0].dtype)


@op("Max", since=1)
def maximum(*xs: Value) -> Value:
    """The largest of all inputs; NaN wins."""
    return reduce(Value.max, xs)


@op("Min", since=1)
def minimum(*xs: Value) -> Value:
    """The smallest of all inputs; NaN wins."""
    return reduce(Value.min, xs)


@op("Clip", since=1)
def clip_attributes(x: Value, *, min: float | None = None, max: float | None = None) -> Value:
    """min(max(x, low), high)."""
    y = x if min is None else x.max(min)
    return y if max is None else y.min(max)


@op("Clip", since=11)
def clip(x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    """min(max(x, low), high); high wins if it is below low."""
    y = x if low is None else x.max(low.reshape(()))
    return y if high is None else y.min(high.reshape(()))


@op("Where", since=9)
def where(condition: Value, x: Value, y: Value) -> Value:
    """x where the condition holds, else y."""
    return condition.where(x, y)


@op("BitShift", since=11)
def bit_shift(x: Value, y: Value, *, direction: str) -> Value:
    """x shifted by y bits to the LEFT or RIGHT; 0 if nothing of it is left."""
    return map_("shl" if direction.upper() == "LEFT" else "shr", x, y)


@op("IsInf", since=10)
def is_inf(x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Value:
    """Whether x is infinite, of the signs asked for."""
    if detect_negative and detect_positive:
        return map_("isinf", x)
    if not detect_negative and not detect_positive:
        return map_("isinf", x).logical_and(map_("isinf", x).logical_not())
    return x.eq(float("inf") if detect_positive else float("-inf"))


@op("Cast", since=1)
def cast_named(x: Value, *, to: str) -> Value:
    """x in the type of that name."""
    named = {d.onnx_name: d for d in dt.ALL}
    if to.lower() not in named:
        raise UnsupportedOp(f"{to} is not an element type")
    return converted(x, named[to.lower()])


@op("Cast", since=6)
def cast(x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Value:
    """x in the type of that TensorProto code."""
    return converted(x, element_type(to, "to"), bool(saturate), round_mode)


@op("CastLike", since=15)
def cast_like(x: Value, target: Value, *, saturate: int = 1, round_mode: str = "up") -> Value:
    """x in the type of `target`."""
    return converted(x, target.dtype, bool(saturate), round_mode)


@op("BitCast", since=26)
def bit_cast(x: Value, *, to: int) -> Value:
    """The bits of x read as another type of the same width."""
    dtype = element_type(to, "to")
    if dtype.bits != x.dtype.bits:
        given = x.dtype.onnx_name
        raise ShapeError(f"the bits of {given} cannot be read as {dtype.onnx_name}: their widths differ")
    return make("bitcast", (x,), {"to": dtype}, dtype, x.shape)


def converted(x: Value, to: DType, saturate: bool = True, round_mode: str = "up") -> Value:
    """A cast as ONNX defines it; narrow floats saturate, float8e8m0 rounds by `round_mode`."""
    if to is x.dtype:
        return x
    if to is dt.STRING:
        return make("to_text", (x,), {}, to, x.shape)
    if x.dtype is dt.STRING:
        return make("from_text", (x,), {"to": to}, to, x.shape)
    if to is dt.F8E8M0:
        return power_of_two(x, saturate, round_mode)
    if to.bits == 8 and to.is_float and to is not dt.F8E8M0 and saturate:
        wide = x if x.dtype.is_float and x.dtype.bits >= 16 else x.cast(dt.F32)
        top = largest(to)
        return wide.max(-top).min(top).cast(to)
    return x.rounded(to)


def power_of_two(x: Value, saturate: bool, round_mode: str) -> Value:
    """float8e8m0 keeps the exponent bits of a float32, or the next: "up" if there is any fraction.

    "nearest" rounds halves up, but that of the smallest exponent down.
    """
    bits = make("bitcast", (x.cast(dt.F32),), {"to": dt.U32}, dt.U32, x.shape)
    exponent, fraction = map_("bitand", map_("shr", bits, 23), 0xFF), map_("bitand", bits, 0x7FFFFF)
    if round_mode == "down":
        code = exponent
    elif round_mode in ("up", "nearest"):
        half = exponent.eq(0).where(scalar(0x400001, dt.U32), 0x400000)
        up = (scalar(1, dt.U32) if round_mode == "up" else half).le(fraction)
        code = exponent + up.logical_and(exponent.lt(0xFE if saturate else 0xFF)).cast(dt.U32)
    else:
        raise UnsupportedOp(f'round_mode="{round_mode}"')
    return make("bitcast", (code.cast(dt.U8),), {"to": dt.F8E8M0}, dt.F8E8M0, x.shape)


def largest(dtype: DType) -> float:
    """The largest finite number of a float type."""
    import ml_dtypes

    return float(ml_dtypes.finfo(dtype.numpy).max)  # type: ignore[no-untyped-call]
