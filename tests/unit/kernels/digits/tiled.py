"""One tile of digits, multiplied by the model of matrix registers, for tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sardonyx.kernels.digits.kernel import SUM_BYTES, DigitKernel, define
from sardonyx.kernels.digits.numbers import pack_digits
from sardonyx.kernels.tiles.matrix import MatrixShape, MatrixWords
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.digits.reference import digits, in_turn, whole_numbers
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled

(TILE,) = (tile for tile in isa.V4.matrices if tile.operand == "fixed24")
SHAPE = MatrixShape(TILE)


class End(NamedTuple):
    """A bias of each column, a residual as large as the tile, and limits."""

    bias: Array
    residual: Array
    low: float
    high: float


def tile_of(
    a: Array,
    b: Array,
    rows: int,
    codes: Array | None = None,
    end: End | None = None,
    *,
    idle: int = 0,
    is_short: bool = False,
) -> Array:
    """a @ b by one tile, whose registers have as many rows of a each; the last `idle` ones are not stored."""
    registers, columns = len(a) // rows, b.shape[1] // 16
    kernel = DigitKernel(SHAPE, registers, columns, is_short)
    made = Modelled(lambda module: define(module, kernel))
    whole, scales = whole_numbers(a.T)
    planes = list(digits(in_turn(whole, SHAPE).T))
    planes.append(np.zeros_like(planes[0]) if codes is None else in_turn(codes.T, SHAPE).T.astype(np.int8))
    held = np.zeros((4, 32, a.shape[1]), np.int8)
    held[:, : len(a)] = np.stack(planes)
    own = guarded((scales * 65536).astype(np.float32), align=64)
    packed = guarded(pack_digits(b, TILE), align=64)
    spare = guarded(np.zeros(SUM_BYTES, np.uint8), align=64)
    tile = np.full((len(a) + 16 - rows, 16 * columns + 4), 7, np.float32)
    descriptor = np.zeros(len(MatrixWords), np.int64)
    words = {MatrixWords.A_ROW: held.strides[1], MatrixWords.A_LOW: held.strides[0], MatrixWords.A_STEP: 64}
    words |= {MatrixWords.A_HALF: rows * held.strides[1], MatrixWords.TILE_HALF: rows * tile.strides[0]}
    words |= {MatrixWords.B_STEP: columns * SHAPE.register_bytes * 3, MatrixWords.TILE_ROW: tile.strides[0]}
    words |= {MatrixWords.SPARE: spare.ctypes.data, MatrixWords.TILE: tile.ctypes.data}
    words |= {MatrixWords.ROWS: rows, MatrixWords.SCALES: own.ctypes.data, MatrixWords.SCALE_ROW: 4}
    words |= {MatrixWords.SCALES_HALF: 4 * rows, MatrixWords.COLUMN_SCALES: packed.ctypes.data}
    whole_end = end or End(np.zeros(32, np.float32), np.zeros_like(tile), -np.inf, np.inf)
    bias, residual = (guarded(array, align=4) for array in whole_end[:2])
    limits = np.array([whole_end.low, 0, whole_end.high, 0], np.float32).view(np.int64)
    words |= {MatrixWords.TILE_COLUMN: 64, MatrixWords.LOW: limits[0], MatrixWords.HIGH: limits[1]}
    words |= {MatrixWords.ROWS_HALF: rows - idle, MatrixWords.BIAS: bias.ctypes.data}
    words |= {MatrixWords.RESIDUAL: residual.ctypes.data, MatrixWords.RESIDUAL_COLUMN: 64}
    words |= {MatrixWords.RESIDUAL_ROW: residual.strides[0]}
    words |= {MatrixWords.RESIDUAL_HALF: rows * residual.strides[0]}
    words |= {MatrixWords.A_FINITE: 0 if codes is None else 3 * held.strides[0]}
    for word, value in words.items():
        descriptor[word] = value
    steps = a.shape[1] // SHAPE.k_step
    made.call(kernel.name, held, packed.ctypes.data + 64 * columns, steps, descriptor)
    assert (tile[:, 16 * columns :] == 7).all()
    assert (tile[len(a) - idle :] == 7).all()
    return tile[: len(a), : 16 * columns]
