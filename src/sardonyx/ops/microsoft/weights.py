"""Weights of few bits in blocks with scales of their own: MatMulNBits, MatMulBnb4, GatherBlockQuantized."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.algorithms.blockwise import BITS, GROUP
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, concat, const, dim_value, make, map_, scalar
from sardonyx.ops.demands import equal, ranked
from sardonyx.ops.onnx.linear import matrix_product
from sardonyx.ops.onnx.quant import in_blocks
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"

POINTS = 4
"""The level of accuracy that allows to round what is multiplied to 8 bits."""


def unpacked(x: Value, bits: int) -> Value:
    """Bytes [..., n] as the numbers of `bits` bits they hold, low ones first: uint8 [..., n * 8 / bits]."""
    if bits == 8:
        return x
    per, mask = 8 // bits, (1 << bits) - 1
    parts = [
        map_("bitand", map_("shr", x, i * bits), mask) if i else map_("bitand", x, mask) for i in range(per)
    ]
    stacked = concat([p.reshape((*x.shape, 1)) for p in parts], x.rank)
    return stacked.reshape((*x.shape[:-1], x.shape[-1] * per))


def in_bytes(weights: Value) -> Value:
    """Weights of few bits, which must be uint8. Raises ShapeError."""
    if weights.dtype is not dt.U8:
        raise ShapeError(f"B must be uint8, not {weights.dtype.onnx_name}")
    return weights


@op("MatMulNBits", domain=MICROSOFT)
def matmul_nbits(
    a: Value,
    b: Value,
    scales: Value,
    zero_points: Value | None = None,
    g_idx: Value | None = None,
    bias: Value | None = None,
    *,
    K: int,  # noqa: N803
    N: int,  # noqa: N803
    block_size: int,
    accuracy_level: int = 0,
    bits: int = 4,
    weight_prepacked: int = 0,
) -> Value:
    """a [..., K] times weights of few bits [N, K], each block of K with its own scale and zero point.

    `g_idx` [K], or as long as whole blocks, names the block of each column if they are not in order. Weights
    of no bytes are zeros.
    """
    if weight_prepacked:
        raise UnsupportedOp("MatMulNBits with weights packed for another machine")
    if b.size == 0:
        y = scalar(0, a.dtype).broadcast((*a.shape[:-1], N))
        return y if bias is None else y + bias
    blocks = -(-K // block_size)
    b = in_bytes(b).reshape((N, blocks, block_size * bits // 8))
    sizes = K, N, block_size, bits
    if kernel := _by_kernel(a, b, scales, zero_points, g_idx, sizes, points=accuracy_level == POINTS):
        return kernel if bias is None else kernel + bias
    points = unpacked(b, bits).cast(scales.dtype)
    scale = scales.reshape((N, blocks))
    zero = _block_zeros(zero_points, N, blocks, bits, scales.dtype)
    if g_idx is None or g_idx.size == 0:
        zero = zero if zero.rank == 0 else zero.reshape((N, blocks, 1))
        weights = ((points - zero) * scale.reshape((N, blocks, 1))).reshape((N, blocks * block_size))
        weights = weights.slice((0, 0), (N, K))
    else:
        points = points.reshape((N, blocks * block_size)).slice((0, 0), (N, K))
        g_idx = _of_columns(g_idx, K, blocks * block_size)
        zero = zero if zero.rank == 0 else zero.gather(g_idx, 1)
        weights = (points - zero) * scale.gather(g_idx, 1)
    y = matrix_product(a, weights.cast(a.dtype).transpose(1, 0))
    return y if bias is None else y + bias


def _by_kernel(
    a: Value,
    b: Value,
    scales: Value,
    zero_points: Value | None,
    g_idx: Value | None,
    sizes: tuple[int, int, int, int],
    *,
    points: bool,
) -> Value | None:
    """The product as one operation, whose weights stay what they are; None if no kernel takes it.

    `sizes` are K, N, the block size and bits; `points` tells that a may be rounded.
    """
    count, outputs, block, bits = sizes
    blocks = -(-count // block)
    in_order = g_idx is None or g_idx.size == 0
    known = all(v.is_numeric_const for v in (b, scales, zero_points) if v is not None)
    has_kernel = known and in_order and bits in BITS and block % GROUP == 0
    if not (has_kernel and 1 < a.rank < 4 and a.dtype is scales.dtype is dt.F32):
        return None
    must_equal(a.shape[-1], count, "inner sizes of a matrix product differ: {} and {}", a.shape[-1], count)
    if not isinstance(a.shape[-1], int):
        a = a.reshape((*a.shape[:-1], count))
    zeros = _block_zeros(zero_points, outputs, blocks, bits, dt.F32).broadcast((outputs, blocks))
    args = (a, b, scales.reshape((outputs, blocks)), zeros)
    shape = (*a.shape[:-1], outputs)
    attrs = {"bits": bits, "block": block, "points": "allowed" if points else ""}
    return make("dot_blockwise", args, attrs, dt.F32, shape)


def _of_columns(g_idx: Value, count: int, padded: int) -> Value:
    """The blocks of the columns that there are. Raises ShapeError."""
    ranked(g_idx, "g_idx", 1)
    if dims.equal(g_idx.size, count) is False:
        equal(g_idx.size, padded, f"g_idx names neither the blocks of {count} columns nor of whole blocks")
    return g_idx.slice((0,), (count,))


def _block_zeros(zeros: Value | None, rows: int, blocks: int, bits: int, dtype: DType) -> Value:
    """The zero points of all blocks [rows, blocks], or the one that all of them have."""
    if zeros is None:
        return scalar(1 << bits - 1, dtype)
    if zeros.dtype is not dt.U8:
        return zeros.cast(dtype).reshape((rows, blocks))
    width: Dim = dims.floordiv(zeros.size, rows)
    return unpacked(zeros.reshape((rows, width)), bits).slice((0, 0), (rows, blocks)).cast(dtype)


FP4 = (0.0, 1 / 192, 2 / 3, 1.0, 1 / 3, 1 / 2, 1 / 6, 1 / 4)
"""What bitsandbytes' codes of 4 bits mean; those from 8 on are negative."""
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
"""The quantiles of a normal distribution."""


@op("MatMulBnb4", domain=MICROSOFT)
def matmul_bnb4(
    a: Value,
    b: Value,
    absmax: Value,
    *,
    K: int,  # noqa: N803
    N: int,  # noqa: N803
    block_size: int,
    quant_type: int,
    training_mode: int = 0,
    transB: int = 1,  # noqa: N803
) -> Value:
    """a [..., K] times weights [N, K] of 4-bit codes, the high one of a byte first, in scaled blocks."""
    table = const(np.array(NF4 if quant_type else (*FP4, *(-v for v in FP4)), absmax.dtype.numpy))
    b = in_bytes(b)
    halves = [map_("shr", b, 4), map_("bitand", b, 15)]
    codes = concat([h.reshape((b.size, 1)) for h in halves], 1).reshape((b.size * 2,))
    blocks = -(-N * K // block_size)
    room = blocks * block_size - N * K
    numbers = table.gather(codes.slice((0,), (N * K,)).cast(dt.I32), 0).pad((0,), (room,))
    scaled = numbers.reshape((blocks, block_size)) * absmax.reshape((blocks, 1))
    weights = scaled.reshape((blocks * block_size,)).slice((0,), (N * K,)).reshape((N, K)).cast(a.dtype)
    return matrix_product(a, weights.transpose(1, 0) if transB else weights)


@op("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(
    data: Value,
    indices: Value,
    scales: Value,
    zero_points: Value | None = None,
    *,
    bits: int = 4,
    block_size: int = 128,
    gather_axis: int = 0,
    quantize_axis: int = 1,
) -> Value:
    """Slices of a table whose blocks of an axis have scales and zero points, as numbers; 0 out of range."""
    packed = data.dtype is dt.U8
    if packed and bits < 8:
        data = unpacked(data, bits)
        if zero_points is not None:
            zero_points = unpacked(zero_points, bits)
            zero_points = zero_points.slice((0,) * zero_points.rank, scales.shape)
    axis, blocked = data.axis(gather_axis), data.axis(quantize_axis)
    size = dim_value(data.shape[axis], dt.I64)
    index = indices.cast(dt.I64)
    index = index.lt(scalar(0, dt.I64)).where(index + size, index)
    exists = scalar(0, dt.I64).le(index).logical_and(index.lt(size))
    index = exists.where(index, 0)
    rows = data.gather(index, axis)
    step = max(block_size, 1) if axis == blocked else 1
    at = blocked + (indices.rank - 1 if blocked > axis else 0)

    def of_rows(v: Value) -> Value:
        if v.shape[axis] == 1 and axis != blocked:
            picked = v.reshape((*v.shape[:axis], *(1,) * indices.rank, *v.shape[axis + 1 :]))
        else:
            picked = v.gather(index if step == 1 else map_("div", index, step), axis)
        if axis == blocked:
            return picked
        return in_blocks(picked, rows, at, block_size or dims.ceildiv(rows.shape[at], picked.shape[at]))

    numbers = rows.cast(scales.dtype)
    if zero_points is not None:
        numbers = numbers - of_rows(zero_points).cast(scales.dtype)
    elif packed:
        numbers = numbers - float(1 << bits - 1)
    tail = (1,) * (data.rank - axis - 1)
    return exists.reshape((*indices.shape, *tail)).where(numbers * of_rows(scales), 0)
