"""Constants are the same arrays in memory of their own and in a mapped file; nobody may write to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.deferred import Deferred
from sardonyx.base.mapped import map_file
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
    packed = pack(ARRAYS)
    payload = np.frombuffer(b"".join(packed.pieces()), np.uint8)
    return Weights.mapped([payload], packed.rows, packed.objects), payload


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


def test_what_lies_in_a_file_as_it_is_stays_there(tmp_path: Path) -> None:
    content = np.arange(1 << 16, dtype=np.float32)
    path = tmp_path / "x.data"
    path.write_bytes(content.tobytes())
    whole = np.frombuffer(memoryview(map_file(path)), np.float32)
    there = whole[16 : 16 + (1 << 15)].reshape(2, -1)
    own = [whole[1 : 1 + (1 << 15)], whole[:100], whole[::2], there.T]
    packed = pack([there, *own], [tmp_path / "other.data", path])
    assert [row[0] for row in packed.rows if row[3] == 2] == [64]
    assert [row[3] for row in packed.rows[1:]] == [0] * len(own)
    payload = np.frombuffer(b"".join(packed.pieces()), np.uint8)
    files = [payload, np.empty(0, np.uint8), np.frombuffer(path.read_bytes(), np.uint8)]
    weights = Weights.mapped(files, packed.rows, [])
    for number, array in enumerate([there, *own]):
        assert np.array_equal(weights[number], array)
    assert weights.addresses[0] == files[2].ctypes.data + 64
    assert weights.size_bytes == payload.nbytes + there.nbytes
    for short in (files[:2], [payload, files[1], files[2][: there.nbytes]]):
        with pytest.raises(ValueError, match="outside of its file"):
            Weights.mapped(short, packed.rows, [])
    assert all(row[3] == 0 for row in pack([there, *own]).rows)


def test_deferred_constants_are_made_when_they_are_stored() -> None:
    constants = [np.zeros(5), Deferred(np.arange(4.0), "negated", (4,), np.negative)]
    packed = pack(constants)
    payload = np.frombuffer(b"".join(packed.pieces()), np.uint8)
    for weights in (Weights.mapped([payload], packed.rows, []), Weights(constants)):
        assert weights[1].tolist() == [0, -1, -2, -3]
        assert weights[0].tolist() == [0] * 5


def test_parts_of_which_one_is_missing_are_not_stored() -> None:
    short = Deferred(np.arange(6.0).reshape(2, 3), "short", (2, 3), np.negative, lambda source: source[:1])
    with pytest.raises(AssertionError):
        list(pack([short]).pieces())
