"""Drawn numbers are of their type and small, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.drawn import drawn

TYPES = [dtype for dtype in dt.ALL if dtype.kind != "O"]


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(), (40,), (2, 0), (5, 8)])
def test_numbers_are_of_their_type_and_small(dtype: dt.DType, shape: tuple[int, ...]) -> None:
    values = drawn(dtype, shape, np.random.default_rng(3))
    assert (values.shape, values.dtype) == (shape, dtype.numpy)
    wide = values.astype(np.complex128 if dtype.kind == "c" else np.float64)
    assert np.all((wide.real >= 0) & (wide.real <= 1))
    if dtype.kind not in "fc":
        assert set(wide.ravel().tolist()) <= {0, 1}
    elif values.size > 1 and dtype.size_bytes > 1:
        assert len(set(wide.ravel().tolist())) > 2
    assert values.tobytes() == drawn(dtype, shape, np.random.default_rng(3)).tobytes()


def test_texts_are_not_drawn() -> None:
    with pytest.raises(AssertionError):
        drawn(dt.STRING, (2,), np.random.default_rng(0))
