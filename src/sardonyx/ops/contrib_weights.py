"""Weights of 2, 4 or 8 bits in blocks with scales of their own: MatMulNBits, GatherBlockQuantized."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, concat, map_, scalar
from sardonyx.ops.linear import matrix_product
from sardonyx.ops.registry import op

MICROSOFT = "com.microsoft"


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
    """A [..., K] times weights of few bits [N, K], each block of K with its own scale and zero point."""
    if weight_prepacked or (g_idx is not None and g_idx.size != 0):
        raise UnsupportedOp("MatMulNBits with prepacked weights or a group index")
    blocks = -(-K // block_size)
    points = unpacked(b.reshape((N, blocks, dims.floordiv(b.size, N * blocks))), bits)
    scale = scales.reshape((N, blocks, 1))
    zero = _block_zeros(zero_points, N, blocks, bits, scales.dtype)
    weights = ((points.cast(scales.dtype) - zero) * scale).reshape((N, blocks * block_size))
    if blocks * block_size != K:
        weights = weights.slice((0, 0), (N, K))
    y = matrix_product(a, weights.cast(a.dtype).transpose(1, 0))
    return y if bias is None else y + bias


def _block_zeros(zeros: Value | None, rows: int, blocks: int, bits: int, dtype: DType) -> Value:
    if zeros is None:
        return scalar(1 << bits - 1, dtype)
    if zeros.dtype is not dt.U8:
        return zeros.cast(dtype).reshape((rows, blocks, 1))
    width: Dim = dims.floordiv(zeros.size, rows)
    found = unpacked(zeros.reshape((rows, width)), bits).slice((0, 0), (rows, blocks))
    return found.cast(dtype).reshape((rows, blocks, 1))


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
    """Rows of a table of few bits, whose blocks of the last axis have scales and zero points, as numbers."""
    last = data.rank - 1
    if data.axis(gather_axis) != 0 or data.axis(quantize_axis) != last:
        raise UnsupportedOp(
            "GatherBlockQuantized along other axes than the first, or with blocks not of the last"
        )
    packed = data.dtype is dt.U8
    rows, scale = data.gather(indices, 0), scales.gather(indices, 0)
    points = unpacked(rows, bits) if packed else rows
    zero = scalar(1 << bits - 1, scale.dtype) if packed else scalar(0, scale.dtype)
    wide = (*scale.shape, 1)
    if zero_points is not None:
        found = zero_points.gather(indices, 0)
        found = unpacked(found, bits) if packed else found
        zero = found.slice((0,) * found.rank, scale.shape).cast(scale.dtype).reshape(wide)
    size, count = points.shape[-1], scale.shape[-1]
    room = (0,) * (points.rank - 1)
    padded = points.cast(scale.dtype).pad((*room, 0), (*room, count * block_size - size))
    blocks = padded.reshape((*scale.shape, block_size))
    numbers = ((blocks - zero) * scale.reshape(wide)).reshape(padded.shape)
    return numbers.slice((0,) * points.rank, points.shape)
