"""A tile in scratch is finished and stored with any strides: bias by column or row, residual, bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sardonyx.kernels.tiles.finish import FinishWords, define_finish
from tests.unit.kernels.native import bits, guarded
from tests.unit.kernels.tiles.made import FLOATS, Made, shape_of


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("by_row", "has_residual", "turned"), list(itertools.product([False, True], repeat=3))
)
def test_finishes(dtype: str, by_row: bool, has_residual: bool, turned: bool) -> None:
    shape, real = shape_of(dtype), FLOATS[dtype]
    made = Made(lambda module: define_finish(module, shape))
    rng = np.random.default_rng(3)
    for rows, columns in ((1, 1), (4, shape.lanes), (5, shape.columns - 1)):
        pitch = shape.columns
        tile = guarded(rng.standard_normal((rows - 1) * pitch + columns).astype(real), align=64)
        sums = np.lib.stride_tricks.as_strided(tile, (rows, columns), (pitch * tile.itemsize, tile.itemsize))
        bias = guarded(rng.standard_normal(rows if by_row else columns).astype(real))
        residual = guarded(rng.standard_normal((rows, columns)).astype(real))
        to = guarded(np.zeros((columns, rows) if turned else (rows, columns), real))
        steps = (1, rows) if turned else (columns, 1)
        words = {
            FinishWords.PITCH: pitch,
            FinishWords.TO: to.ctypes.data,
            FinishWords.TO_ROW: steps[0],
            FinishWords.TO_LANE: steps[1],
        }
        words |= {FinishWords.BIAS: bias.ctypes.data, FinishWords.BIAS_BY_ROW: int(by_row)}
        words |= {FinishWords.LOW: bits(-0.5, real.__name__), FinishWords.HIGH: bits(1, real.__name__)}
        words |= {FinishWords.RESIDUAL: residual.ctypes.data if has_residual else 0}
        words |= {FinishWords.RESIDUAL_ROW: columns, FinishWords.RESIDUAL_LANE: 1}
        spec = np.array([words[word] for word in FinishWords])
        made.call(made.names, tile, spec, rows, columns)
        expected = sums + (bias[:, None] if by_row else bias) + (residual if has_residual else real(0))
        assert np.array_equal(to.T if turned else to, np.clip(expected, real(-0.5), real(1)))
