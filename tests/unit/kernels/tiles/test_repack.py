"""A matrix of any strides is copied row by row, and nothing but it is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.kernels.tiles.repack import define_copy
from tests.unit.kernels.native import guarded, strides
from tests.unit.kernels.tiles.made import FLOATS, Made, shape_of


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ["rows", "columns", "apart", "reversed"])
def test_copies(dtype: str, order: str) -> None:
    shape = shape_of(dtype)
    made = Made(lambda module: define_copy(module, shape))
    lanes = shape.lanes
    for rows, columns in ((1, 1), (3, lanes + 1), (lanes, lanes), (2 * lanes + 3, 5), (0, 4), (4, 0)):
        numbers = np.arange(rows * columns, dtype=FLOATS[dtype]).reshape(rows, columns)
        x: Any = {
            "rows": lambda a: guarded(a),
            "columns": lambda a: guarded(np.ascontiguousarray(a.T)).T,
            "apart": lambda a: guarded(np.repeat(a, 3, 1)[:, : 3 * a.shape[1] - 2])[:, ::3] if a.size else a,
            "reversed": lambda a: guarded(a[::-1, ::-1].copy())[::-1, ::-1],
        }[order](numbers)
        pitch = (columns // lanes + 2) * lanes
        to = np.full((rows + 2 * lanes, pitch), -1, FLOATS[dtype])
        made.call(made.names, to, x, rows, columns, np.array([pitch, *strides(x)]))
        assert np.array_equal(to[:rows, :columns], numbers)
