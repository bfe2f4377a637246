"""A tile in scratch is finished and stored with any strides: bias by column or row, residual, bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.finish import FinishWords, define_finish
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import bits, guarded
from tests.unit.kernels.tiles.made import FLOATS, Made, shape_of
from tests.unit.kernels.tiles.modelled import Modelled
from tests.unit.llvm.registers import rounded_halves


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


@pytest.mark.parametrize("has_residual", [False, True])
def test_rounds_to_halves(has_residual: bool) -> None:
    shape = TileShape.of(Goal(targets.by_name("x86_64-v4")), "f32")
    narrow = isa.V4.matrices[0].instruction.narrow
    made = Modelled(lambda module: define_finish(module, shape, narrow))
    rng = np.random.default_rng(4)
    for rows, columns in ((1, 1), (4, shape.lanes), (5, shape.columns - 1)):
        tile = guarded(rng.standard_normal((rows, columns)).astype(np.float32))
        tile[0, 0] = np.nan
        bias = guarded(rng.standard_normal(columns).astype(np.float32))
        residual = guarded(rng.standard_normal((rows, columns)).astype(np.float32))
        to = guarded(np.zeros((rows, columns), np.uint16))
        words = dict.fromkeys(FinishWords, 0)
        words |= {FinishWords.PITCH: columns, FinishWords.TO: to.ctypes.data, FinishWords.TO_ROW: columns}
        words |= {FinishWords.TO_LANE: 1, FinishWords.BIAS: bias.ctypes.data}
        words |= {FinishWords.LOW: bits(0, "float32"), FinishWords.HIGH: bits(np.inf, "float32")}
        if has_residual:
            words |= {FinishWords.RESIDUAL: residual.ctypes.data, FinishWords.RESIDUAL_ROW: columns}
            words |= {FinishWords.RESIDUAL_LANE: 1}
        spec = np.array([words[word] for word in FinishWords])
        made.call(made.names, tile, spec, rows, columns)
        exact = np.maximum(tile + bias + (residual if has_residual else np.float32(0)), np.float32(0))
        assert np.array_equal(to, rounded_halves(exact))
