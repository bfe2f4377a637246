"""Constants are the same arrays in memory of their own and in a mapped file; nobody may write to them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.runtime.weights import Weights, pack

ARRAYS: list[Any] = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.array(7, np.int8),
    np.zeros((0, 4)),
    np.array(["a", "bc"], object),
    np.arange(5).astype(ml_dtypes.bfloat16),
    np.arange(12).reshape(3, 4).T,
]


def stored() -> tuple[Weights, Any]:
    rows, objects, pieces = pack(ARRAYS)
    payload = np.frombuffer(b"".join(pieces), np.uint8)
    return Weights.mapped(payload, rows, objects), payload


def test_what_was_packed_is_read_back() -> None:
    weights, payload = stored()
    assert len(weights) == len(ARRAYS)
    for number, array in enumerate(ARRAYS):
        got = weights[number]
        assert (got.dtype, got.shape, got.tolist()) == (array.dtype, array.shape, array.tolist())
        assert got is weights[number], "an array is made once"
        if array.dtype != object and array.size:
            inside = weights.addresses[number] - payload.ctypes.data
            assert inside % 64 == 0
            assert got.ctypes.data == weights.addresses[number]
    assert weights.size_bytes == payload.nbytes


def test_arrays_of_ones_own_become_read_only() -> None:
    arrays = [a.copy() for a in ARRAYS]
    weights = Weights(arrays)
    assert weights.addresses[0] == arrays[0].ctypes.data
    with pytest.raises(ValueError, match="read-only"):
        weights[0][0] = 1
    assert weights.size_bytes == sum(a.nbytes for a in arrays)
