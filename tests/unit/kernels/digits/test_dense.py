"""Tiles of dense digits have the sums of their numbers once the next one is multiplied."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.dense import DenseWords, define_dense, define_join
from sardonyx.kernels.digits.kernel import SUM_BYTES
from sardonyx.kernels.digits.numbers import pack_digits
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.digits.reference import digits, in_turn, whole_numbers
from tests.unit.kernels.digits.tiled import SHAPE, TILE
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled


def dense(a: Array) -> tuple[Array, Array]:
    """a[16, K] as the registers of all steps, and the scales of its rows."""
    whole, scales = whole_numbers(a.T)
    planes = digits(in_turn(whole, SHAPE).T).reshape(3, 16, -1, 64)
    return guarded(np.ascontiguousarray(planes.transpose(2, 0, 1, 3)), align=64), scales * np.float32(65536)


@pytest.mark.parametrize(("columns", "steps"), [(1, 1), (2, 1), (2, 3)])
def test_sums_are_joined_while_the_next_tile_is_multiplied(
    columns: int, steps: int, rng: np.random.Generator
) -> None:
    a = rng.standard_normal((2, 16, 64 * steps)).astype(np.float32)
    b = rng.standard_normal((64 * steps, 16 * columns)).astype(np.float32)
    packed = guarded(pack_digits(b, TILE), align=64)
    made = Modelled(
        lambda module: [define_dense(module, SHAPE, columns), define_join(module, SHAPE, columns)]
    )
    sums = guarded(np.zeros(SUM_BYTES, np.uint8), align=64)
    to = guarded(np.full((3, 16, 20 * columns), 7, np.float32))
    held = [dense(tile) for tile in a]
    scales = [guarded(own) for _, own in held]
    words = np.zeros(len(DenseWords), np.int64)
    words[DenseWords.TO_ROW], words[DenseWords.SCALE_ROW] = to.strides[1], 4
    words[DenseWords.SUMS] = sums.ctypes.data
    words[DenseWords.COLUMN_SCALES] = packed.ctypes.data
    # Nothing is joined before the first tile: what is written then is written over.
    for n in range(3):
        words[DenseWords.TO] = to[max(n - 1, 0)].ctypes.data
        words[DenseWords.SCALES] = scales[max(n - 1, 0)].ctypes.data
        if n < 2:
            registers = held[n][0]
            words[DenseWords.NEXT_A] = registers.ctypes.data
            made.call(made.names[0], registers, packed.ctypes.data + 64 * columns, steps, words)
        else:
            made.call(made.names[1], words)
    for n in range(2):
        exact = a[n].astype(np.float64) @ b
        got = to[n, :, : 16 * columns]
        assert np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact**2)) < MATRIX_BOUNDS[TILE.name]
    assert (to[:, :, 16 * columns :] == 7).all()
    assert (to[2] == 7).all()
