"""Weights packed into blocks of bytes as other engines lay them out: GatherPacked, MatMulFpQ4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, concat, const, dim_value, make, map_, scalar
from sardonyx.ops.demands import element_type, ranked, shaped
from sardonyx.ops.microsoft.weights import MICROSOFT, in_bytes, unpacked
from sardonyx.ops.onnx.linear import matrix_product
from sardonyx.ops.operands import integers
from sardonyx.ops.table import op

CODES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
"""What the codes of 4 bits of IQ4_NL and IQ4_XS mean."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How `count` numbers lie in `size` bytes; `numbers` makes [..., size] to float32 [..., count]."""

    count: int
    size: int
    numbers: Callable[[Value], Value]


def _part(b: Value, start: int, size: int) -> Value:
    """So many bytes of every block."""
    return b.slice((0,) * (b.rank - 1) + (start,), (*b.shape[:-1], size))


def _split(b: Value, *sizes: int) -> Value:
    """The last axis as several."""
    return b.reshape((*b.shape[:-1], *sizes))


def _joined(b: Value, axes: int) -> Value:
    """The last axes as one."""
    return b.reshape((*b.shape[:-axes], dims.product(b.shape[-axes:])))


def _word(b: Value, to: dt.DType, holds: dt.DType) -> Value:
    """The first bytes of each block, low ones first, as one number [..., 1]."""
    size = holds.bits // 8
    word = _part(b, 0, 1).cast(holds)
    for n in range(1, size):
        word = map_("bitor", word, map_("shl", _part(b, n, 1).cast(holds), 8 * n))
    return word if to is holds else make("bitcast", (word,), {"to": to}, to, word.shape)


def _half(b: Value, at: int = 0) -> Value:
    """The float16 at a byte of each block."""
    return _word(_part(b, at, 2), dt.F16, dt.U16).cast(dt.F32)


def _halves(b: Value) -> Value:
    """Bytes [..., n] as their low four bits, then their high ones: [..., 2n]."""
    return concat([map_("bitand", b, 15), map_("shr", b, 4)], b.rank - 1)


def _signed(b: Value) -> Value:
    return make("bitcast", (b,), {"to": dt.I8}, dt.I8, b.shape).cast(dt.F32)


def _stacked(parts: list[Value], axis: int) -> Value:
    """The parts side by side along a new axis, counted from the end."""
    at = parts[0].rank + 1 + axis
    return concat([p.reshape((*p.shape[:at], 1, *p.shape[at:])) for p in parts], at)


def _bits(b: Value, shift: int, mask: int) -> Value:
    return map_("bitand", map_("shr", b, shift) if shift else b, mask)


def _q4_0(b: Value) -> Value:
    return (_halves(_part(b, 2, 16)).cast(dt.F32) - 8.0) * _half(b)


def _q5_0(b: Value) -> Value:
    high = unpacked(_part(b, 2, 4), 1)
    points = map_("bitor", _halves(_part(b, 6, 16)), map_("shl", high, 4))
    return (points.cast(dt.F32) - 16.0) * _half(b)


def _q8_0(b: Value) -> Value:
    return _signed(_part(b, 2, 32)) * _half(b)


def _q2_0(b: Value) -> Value:
    return (unpacked(_part(b, 2, 16), 2).cast(dt.F32) - 1.0) * _half(b)


def _q5_k(b: Value) -> Value:
    """Eight runs of 32, each with a scale and a lowest number of 6 bits."""
    steps, lows = _six_bits(_part(b, 4, 12))
    low = _split(_part(b, 48, 128), 4, 32)
    points = _joined(_stacked([_bits(low, 0, 15), _bits(low, 4, 15)], -2), 3)
    high = _joined(_stacked([_bits(_part(b, 16, 32), n, 1) for n in range(8)], -2), 2)
    points = map_("bitor", points, map_("shl", high, 4)).cast(dt.F32)
    step, least = steps.cast(dt.F32) * _half(b), lows.cast(dt.F32) * _half(b, 2)
    return _joined(_split(points, 8, 32) * _split(step, 8, 1) - _split(least, 8, 1), 2)


def _six_bits(b: Value) -> tuple[Value, Value]:
    """Two times eight numbers of 6 bits from 12 bytes."""
    first, second, rest = (_part(b, n, 4) for n in (0, 4, 8))
    results = []
    for low, shift in ((first, 0), (second, 4)):
        top = map_("shl", _bits(low, 6, 3), 4)
        results.append(concat([_bits(low, 0, 63), map_("bitor", _bits(rest, shift, 15), top)], b.rank - 1))
    return results[0], results[1]


def _q6_k(b: Value) -> Value:
    """Sixteen runs of 16, each with a scale of 8 bits."""
    low = _split(_part(b, 0, 128), 2, 2, 32)
    low = _joined(_stacked([_bits(low, 0, 15), _bits(low, 4, 15)], -3), 4)
    high = _split(_part(b, 128, 64), 2, 32)
    high = _joined(_stacked([_bits(high, n, 3) for n in (0, 2, 4, 6)], -2), 3)
    points = map_("bitor", low, map_("shl", high, 4)).cast(dt.F32) - 32.0
    step = _signed(_part(b, 192, 16)) * _half(b, 208)
    return _joined(_split(points, 16, 16) * _split(step, 16, 1), 2)


def _coded(b: Value) -> Value:
    """Bytes as the numbers that their halves of 4 bits mean."""
    return const(np.array(CODES, np.float32)).gather(_halves(b).cast(dt.I32), 0)


def _iq4_nl(b: Value) -> Value:
    return _coded(_part(b, 2, 16)) * _half(b)


def _iq4_xs(b: Value) -> Value:
    """Eight runs of 32 with scales of 6 bits, whose upper two lie apart."""
    high = unpacked(_part(b, 2, 2), 2)
    steps = map_("bitor", unpacked(_part(b, 4, 4), 4), map_("shl", high, 4)).cast(dt.F32) - 32.0
    points = _coded(_split(_part(b, 8, 128), 8, 16))
    return _joined(points * _split(steps * _half(b), 8, 1), 2)


LAYOUTS = {
    0: Layout(1, 4, lambda b: _word(b, dt.F32, dt.U32)),
    1: Layout(1, 2, _half),
    2: Layout(32, 18, _q4_0),
    6: Layout(32, 22, _q5_0),
    8: Layout(32, 34, _q8_0),
    13: Layout(256, 176, _q5_k),
    14: Layout(256, 210, _q6_k),
    20: Layout(32, 18, _iq4_nl),
    23: Layout(256, 136, _iq4_xs),
    30: Layout(1, 2, lambda b: _word(b, dt.BF16, dt.U16).cast(dt.F32)),
    42: Layout(64, 18, _q2_0),
}
"""By the number that GGUF files give them."""


@op("GatherPacked", domain=MICROSOFT)
def gather_packed(
    data: Value,
    indices: Value,
    *,
    packed_type: int,
    K: int,  # noqa: N803
    output_dtype: int = dt.BF16.onnx,
) -> Value:
    """Rows of a table [rows, bytes] as K numbers each; row 0 where an index is out of range.

    The types of llama.cpp that need a table of their own (IQ2, IQ3) are not known here.
    """
    if (layout := LAYOUTS.get(packed_type)) is None:
        raise UnsupportedOp(f"GatherPacked with packed_type={packed_type}; there are {sorted(LAYOUTS)}")
    if K <= 0 or K % layout.count:
        raise ShapeError(f"K={K} must be a multiple of {layout.count} above 0 for packed_type={packed_type}")
    ranked(data, "the packed rows", 2)
    blocks = K // layout.count
    data = shaped(in_bytes(data), "the packed rows", data.shape[0], blocks * layout.size)
    index = indices.cast(dt.I64)
    known = scalar(0, dt.I64).le(index).logical_and(index.lt(dim_value(data.shape[0], dt.I64)))
    rows = data.gather(known.where(index, 0), 0)
    numbers = layout.numbers(_split(rows, blocks, layout.size))
    return _joined(numbers, 2).cast(element_type(output_dtype, "output_dtype"))


@op("MatMulFpQ4", domain=MICROSOFT)
def matmul_fpq4(a: Value, b: Value, b_shape: Value, *, blk_quant_type: int = 1) -> Value:
    """a [..., K] times weights [K, N] in blocks of 32 of a column: a scale, a zero point if any, 16 bytes."""
    shape = integers(b_shape, "the shape of B")
    if len(shape) != 2:
        raise ShapeError(f"the shape of B has {len(shape)} sizes, it must have 2")
    (inner, columns), head = shape, 5 if blk_quant_type else 4
    blocks, block = -(-inner // 32), head + 16
    b = shaped(in_bytes(b), "the packed weights", columns * blocks * block)
    packed = _split(b, columns, blocks, block)
    points = _halves(_part(packed, head, 16)).cast(dt.F32)
    zero = _part(packed, 4, 1).cast(dt.F32) if blk_quant_type else 8.0
    weights = _joined((points - zero) * _word(packed, dt.F32, dt.U32), 2)
    return matrix_product(a, weights.slice((0, 0), (columns, inner)).transpose(1, 0))
