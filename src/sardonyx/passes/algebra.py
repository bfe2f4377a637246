"""Laws of arithmetic: constants move together, and into the weights of contractions.

No law here changes a result by more than the rounding of one operation.
"""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph
from sardonyx.ir.rewrite import Uses, rewrite, rule
from sardonyx.ir.value import Value, make, map_


def algebra(graph: Graph, goal: Goal) -> Graph:
    """Simplify by the laws of this file."""
    return rewrite(graph)


def _split(value: Value) -> tuple[Value, Value] | None:
    """(varying operand, constant operand) of a commutative map."""
    a, b = value.args
    if b.is_numeric_const and not a.is_const:
        return a, b
    if a.is_numeric_const and not b.is_const:
        return b, a
    return None


def _is_all(constant: Value, number: float) -> bool:
    return constant.data is not None and bool(np.all(constant.data == number))


@rule("add")
def add_zero(value: Value, uses: Uses) -> Value | None:
    """x + 0 -> x    of integers: in floats -0 + 0 is 0"""
    split = _split(value)
    if split and not value.dtype.is_float and _is_all(split[1], 0) and split[0].shape == value.shape:
        return split[0]
    return None


@rule("mul", "div")
def times_one(value: Value, uses: Uses) -> Value | None:
    """x * 1 -> x,  x / 1 -> x"""
    x, c = value.args
    if value.prim == "mul" and not c.is_numeric_const:
        x, c = c, x
    if c.is_numeric_const and _is_all(c, 1) and x.shape == value.shape:
        return x
    return None


@rule("sub")
def subtract_constant(value: Value, uses: Uses) -> Value | None:
    """x - c -> x + (-c)    for floats"""
    x, c = value.args
    if value.dtype.is_float and c.is_numeric_const and not x.is_const:
        return map_("add", x, -c)
    return None


@rule("div")
def divide_by_power_of_two(value: Value, uses: Uses) -> Value | None:
    """x / c -> x * (1/c)    where 1/c is exact"""
    x, c = value.args
    if not value.dtype.is_float or not c.is_numeric_const or x.is_const or c.data is None:
        return None
    data = c.data.astype(np.float64)
    mantissa, exponent = np.frexp(data)
    if np.all(np.isfinite(data) & (np.abs(mantissa) == 0.5) & (np.abs(exponent) < 100)):
        return map_("mul", x, 1.0 / c)
    return None


@rule("add")
def add_constants(value: Value, uses: Uses) -> Value | None:
    """(contraction + c) + d -> contraction + (c + d)"""
    outer = _split(value)
    if not outer or not value.dtype.is_float or outer[0].prim != "add" or uses(outer[0]) != 1:
        return None
    inner = _split(outer[0])
    if inner and _scalable(inner[0]) and inner[0].shape == value.shape:
        return map_("add", inner[0], map_("add", inner[1], outer[1]))
    return None


@rule("add")
def add_sums(value: Value, uses: Uses) -> Value | None:
    """(contraction + c) + (y + d) -> (contraction + (c + d)) + y"""
    a, b = value.args
    if not value.dtype.is_float or a.prim != "add" or b.prim != "add" or uses(b) != 1 or uses(a) != 1:
        return None
    left, right = _split(a), _split(b)
    if (
        left
        and right
        and _scalable(left[0])
        and left[0].shape == value.shape
        and right[0].shape == value.shape
    ):
        return map_("add", map_("add", left[0], map_("add", left[1], right[1])), right[0])
    return None


@rule("mul")
def scale_sum(value: Value, uses: Uses) -> Value | None:
    """(contraction + c) * d -> contraction * d + c * d"""
    outer = _split(value)
    if not outer or outer[0].prim != "add" or uses(outer[0]) != 1:
        return None
    inner = _split(outer[0])
    if inner and _scalable(inner[0]) and uses(inner[0]) == 1 and _scale_of(inner[0], outer[1]) is not None:
        product = map_("mul", inner[0], outer[1])
        scaled = scale_weights(product, uses)
        return map_("add", scaled or product, map_("mul", inner[1], outer[1]))
    return None


@rule("mul")
def scale_weights(value: Value, uses: Uses) -> Value | None:
    """conv(x, w) * c -> conv(x, w * c)    for one c an output channel, and the same for a matrix product"""
    split = _split(value)
    if not split or not _scalable(split[0]) or uses(split[0]) != 1 or split[0].shape != value.shape:
        return None
    anchor = split[0]
    scale = _scale_of(anchor, split[1])
    if scale is None:
        return None
    x, w = anchor.args
    return make(anchor.prim, (x, map_("mul", w, scale)), anchor.attrs, anchor.dtype, anchor.shape)


@rule("mul")
def shares_of_normals(value: Value, uses: Uses) -> Value | None:
    """x * (1 + erf(x / sqrt(2))) / 2 -> gelu(x)    of single floats, in any order of its factors"""
    if value.dtype is not dt.F32:
        return None
    for a, b in (value.args, value.args[::-1]):
        for first, second in (a.args, a.args[::-1]) if a.prim == "mul" else ():
            for x, doubled, half in ((first, second, b), (b, first, second), (first, b, second)):
                if half.is_numeric_const and _is_all(half, 0.5) and _doubles_share(doubled, x):
                    return map_("gelu", x) if x.shape == value.shape else None
    return None


def _doubles_share(value: Value, x: Value) -> bool:
    """Whether it is 1 + erf(x / sqrt(2))."""
    split = _split(value) if value.prim == "add" else None
    if not split or not _is_all(split[1], 1) or split[0].prim != "erf":
        return False
    scaled = split[0].args[0]
    if scaled.prim not in ("mul", "div") or scaled.args[0] is not x or not scaled.args[1].is_numeric_const:
        return False
    factor = np.float32(math.sqrt(0.5) if scaled.prim == "mul" else math.sqrt(2))
    data = scaled.args[1].data
    return data is not None and bool(np.all(np.abs(data - factor) <= np.spacing(factor)))


_ENDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""What functions that never fall make of -infinity and of infinity."""


@rule("max", "min")
def range_of_what_never_falls(value: Value, uses: Uses) -> Value | None:
    """max(rmax(f(x)), c) -> max(f(rmax(x)), c)    where f never falls, nor below c; and the same of min

    So the range of what f makes is known before that is computed. Of no elements it is c.
    """
    found, c = value.args
    reduced = found.args[0] if found.prim == "reshape" else found
    if reduced.prim != {"max": "rmax", "min": "rmin"}[value.prim] or uses(reduced) != 1:
        return None
    f = reduced.args[0]
    if f.prim not in _ENDS or not c.is_numeric_const or c.data is None or f.args[0].is_const:
        return None
    low, high = _ENDS[f.prim]
    if not np.all(c.data >= low if value.prim == "max" else c.data <= high):
        return None
    end = f.args[0].reduce(reduced.prim, reduced.attrs["axes"]).unary(f.prim)
    return map_(value.prim, end.reshape(found.shape) if found is not reduced else end, c)


@rule("dot")
def outer_product(value: Value, uses: Uses) -> Value | None:
    """x @ y -> x * y    of a column with a row: there is nothing to add"""
    column, row = value.args
    if column.shape[-1] != 1 or row.shape[-2] != 1:
        return None
    return map_("mul", column.cast(value.dtype), row.cast(value.dtype))


def _scalable(value: Value) -> bool:
    constant = value.prim in ("conv", "conv_transpose", "dot") and value.args[1].is_numeric_const
    return constant and value.dtype.is_float and value.args[1].dtype is value.dtype


def _scale_of(anchor: Value, c: Value) -> Value | None:
    """`c` in the shape that scales the weights of `anchor`, if it has one entry an output channel, or one."""
    w = anchor.args[1]
    if c.size == 1:
        return c.reshape((1,) * w.rank)
    channel = anchor.rank - 1 if anchor.prim == "dot" else 1
    axis = c.rank - (anchor.rank - channel)
    if axis < 0 or c.size != c.shape[axis] or c.shape[axis] != anchor.shape[channel]:
        return None
    if anchor.prim == "dot":
        return c.reshape((*(1,) * (w.rank - 1), c.size))
    if anchor.prim == "conv":
        return c.reshape((c.size, *(1,) * (w.rank - 1)))
    if anchor.attrs["group"] != 1:
        return None
    return c.reshape((1, c.size, *(1,) * (w.rank - 2)))
