"""Random tensors as formulas: a hash of each element's number and one key for each node and run."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.value import Value, dim_value, iota, make, map_, scalar
from sardonyx.ops.demands import element_type
from sardonyx.ops.table import Node, op
from sardonyx.ops.window import Ints


def _key(node: Node, seed: float | None) -> Value:
    """The key of a node: of its seed if it has one, else new in every run."""
    if seed is None:
        return make("random_key", (), {"stream": node.name}, dt.U32, ())
    return scalar(int.from_bytes(struct.pack("<f", seed), "little"), dt.U32)


def _hash(x: Value) -> Value:
    """Mix the bits of uint32 numbers (Wellons' lowbias32)."""
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        x = map_("bitxor", x, map_("shr", x, shift)) * factor
    return map_("bitxor", x, map_("shr", x, 15))


def _numbers(shape: Sequence[Dim]) -> Value:
    """The number of each element in row-major order, uint32."""
    total = scalar(0, dt.U32).broadcast(shape) if not shape else None
    for axis in range(len(shape)):
        along = iota([n if a == axis else 1 for a, n in enumerate(shape)], axis, dt.U32)
        along = along * dim_value(dims.product(shape[axis + 1 :]), dt.U32)
        total = along if total is None else total + along
    assert total is not None
    return total


def uniform(shape: Sequence[Dim], node: Node, seed: float | None, draw: int = 0) -> Value:
    """Numbers from 0 up to but not including 1, f32; other draws of a node are independent."""
    key = _hash(_key(node, seed) + (0x9E3779B9 * (draw + 1)) % (1 << 32))
    bits = _hash(map_("bitxor", _hash(_numbers(shape) + 0x6A09E667), key))
    return map_("shr", bits, 8).cast(dt.F32) * 2.0**-24


def normal(shape: Sequence[Dim], node: Node, seed: float | None) -> Value:
    """Normally distributed numbers, f32 (Box and Muller)."""
    radius = ((1.0 - uniform(shape, node, seed)).log() * -2.0).sqrt()
    return radius * (uniform(shape, node, seed, 1) * (2 * math.pi)).unary("cos")


def _type(dtype: int | None, like: Value | None = None) -> DType:
    if dtype is not None:
        return element_type(dtype, "dtype")
    return like.dtype if like is not None and like.dtype.is_float else dt.F32


@op("RandomNormal")
def random_normal(
    *,
    shape: Ints,
    node: Node,
    dtype: int = 1,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
) -> Value:
    """Normally distributed numbers."""
    return (normal(tuple(shape), node, seed) * scale + mean).cast(_type(dtype))


@op("RandomNormalLike")
def random_normal_like(
    x: Value,
    *,
    node: Node,
    dtype: int | None = None,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
) -> Value:
    """Normally distributed numbers in the shape of x."""
    return (normal(x.shape, node, seed) * scale + mean).cast(_type(dtype, x))


@op("RandomUniform")
def random_uniform(
    *, shape: Ints, node: Node, dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float | None = None
) -> Value:
    """Numbers spread evenly from `low` to `high`."""
    return (uniform(tuple(shape), node, seed) * (high - low) + low).cast(_type(dtype))


@op("RandomUniformLike")
def random_uniform_like(
    x: Value,
    *,
    node: Node,
    dtype: int | None = None,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
) -> Value:
    """Numbers spread evenly from `low` to `high` in the shape of x."""
    return (uniform(x.shape, node, seed) * (high - low) + low).cast(_type(dtype, x))


@op("Bernoulli", since=15)
def bernoulli(x: Value, *, node: Node, dtype: int | None = None, seed: float | None = None) -> Value:
    """1 with probability x, else 0."""
    drawn = uniform(x.shape, node, seed).lt(x.cast(dt.F32))
    return drawn.cast(x.dtype if dtype is None else element_type(dtype, "dtype"))


@op("Multinomial", since=7)
def multinomial(
    x: Value, *, node: Node, dtype: int = 6, sample_size: int = 1, seed: float | None = None
) -> Value:
    """Classes drawn by unnormalised log-probabilities x [B, C]: y [B, sample_size]."""
    batch, classes = x.shape
    weights = (x - x.reduce_max(1)).cast(dt.F32).exp()
    running = make("cumsum", (weights,), {"axis": 1, "exclusive": False, "reverse": False}, dt.F32, x.shape)
    drawn = uniform((batch, sample_size, 1), node, seed) * weights.sum(1).reshape((batch, 1, 1))
    below = running.reshape((batch, 1, classes)).le(drawn).cast(dt.I32).sum(2)
    last = dim_value(classes - 1, dt.I32)
    return below.reshape((batch, sample_size)).min(last).cast(element_type(dtype, "dtype"))
