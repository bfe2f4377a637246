"""A constant right operand is laid out in panels; its parts are laid out as the whole is."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b, packed_shape, parts_b
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape
from sardonyx.targets.x86_64 import isa

TYPES = [np.float32, np.float64, np.int16]


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("dims", [(3, 1), (5, 16), (7, 65), (4, 200), (2, 3, 40), (2, 2, 1, 130), (600, 700)])
def test_parts_are_laid_out_as_the_whole(
    target: targets.Target, dtype: type, dims: tuple[int, ...], rng: np.random.Generator
) -> None:
    goal = Goal(target)
    w = (100 * rng.standard_normal(dims)).astype(dtype)
    whole = pack_b(w, goal)
    assert whole.shape == packed_shape(dims, w.dtype, goal)
    assert whole.__array_interface__["data"][0] % 64 == 0
    parts = [pack_b(part, goal).reshape(-1) for part in parts_b(w, goal)]
    assert (len(parts) > 1) == (w.nbytes > 1 << 20 or len(dims) > 2)
    assert np.array_equal(np.concatenate(parts), whole.reshape(-1))
    assert np.array_equal(np.sort(whole[whole != 0]), np.sort(w[w != 0]))


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("dims", [(9, 150), (2, 4, 64), (3, 17)])
def test_an_element_lies_in_its_panel_by_step_then_column(
    target: targets.Target, dtype: type, dims: tuple[int, ...], rng: np.random.Generator
) -> None:
    shape = TileShape.of(Goal(target), BY_RIGHT[dt.by_numpy(np.dtype(dtype))])
    w = (100 * rng.standard_normal(dims)).astype(dtype)
    packed = pack_b(w, Goal(target)).reshape(-1, packed_shape(dims, w.dtype, Goal(target))[-1])
    *_, size, columns = dims
    steps, padded = -(-size // shape.depth), -(-columns // shape.lanes) * shape.lanes
    for matrix, flat in zip(w.reshape(-1, size, columns), packed, strict=True):
        for k, n in np.ndindex(size, columns):
            panel = n // shape.columns * shape.columns
            width = min(shape.columns, padded - panel)
            step = panel * steps + k // shape.depth * width + n - panel
            assert flat[step * shape.depth + k % shape.depth] == matrix[k, n]
