"""The integers of a state have room in scratch, and are those that the algorithm in numpy makes."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.algorithms.recurrent import quantize_dynamically
from sardonyx.kernels.recurrent.layer import Layer, Word
from sardonyx.kernels.recurrent.quantise import define_quantise, scratch_bytes
from tests.unit.kernels.tiles.made import Made

TARGET = targets.detect()
LAYER = Layer("lstm", dt.F32, (("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0), ("Tanh", 0.0, 0.0)), quantised=True)


@pytest.mark.parametrize(("batch", "units"), [(1, 1), (3, 16), (2, 37)])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_points_of_all_rows_share_a_range(batch: int, units: int, shift: float) -> None:
    made = Made(lambda module: define_quantise(module, LAYER, Goal(TARGET)))
    lanes = LAYER.panels(Goal(TARGET))[0].lanes
    pitch = -(-units // lanes) * lanes
    state = np.zeros((2, batch, pitch), np.float32)
    x = (np.random.default_rng(units).standard_normal((batch, units)) + shift).astype(np.float32)
    state[1, :, :units] = x
    words = np.zeros(Word.WORDS, np.int64)
    words[Word.BATCH], words[Word.UNITS], words[Word.DIRECTIONS] = batch, units, 1
    words[Word.STATE] = state.ctypes.data
    raw = np.zeros(int(scratch_bytes(batch, units)) + 64, np.uint8)  # type: ignore[arg-type]
    scratch = raw[-raw.ctypes.data % 64 :]
    made.call(made.names, words, scratch, 0, 1, 0, batch)
    points, step, origin = quantize_dynamically(x)
    assert scratch[:4].view(np.float32)[0] == step
    assert scratch[4:8].view(np.int32)[0] == origin
    sums = scratch[64 : 64 + 4 * batch].view(np.int32)
    assert sums.tolist() == points.sum(1).tolist()
    size = 4 // LAYER.panels(Goal(TARGET))[0].depth
    rows = scratch[64 + (4 * batch + 63) // 64 * 64 :]
    row_bytes = -(-units // 16) * 16 * size
    for row in range(batch):
        kept = rows[row * row_bytes : row * row_bytes + units * size].view(f"u{size}")
        assert kept.tolist() == points[row].tolist()


def test_scratch_of_open_sizes() -> None:
    n = dims.symbol("n")
    assert dims.evaluate(scratch_bytes(n, 20), {"n": 3}) == scratch_bytes(3, 20)
