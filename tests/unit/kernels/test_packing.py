"""A constant is packed once for each arrangement."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from sardonyx.ir.value import const
from sardonyx.kernels import packing
from sardonyx.kernels.packing import packed


def test_each_arrangement_is_made_once_and_forgotten_with_its_constant() -> None:
    made: list[Any] = []

    def turned(w: Any) -> Any:
        made.append(w)
        return np.ascontiguousarray(w.T)

    value = const(np.arange(6, dtype=np.float32).reshape(2, 3))
    one, again, other = (packed(value, key, turned) for key in ("a", "a", "b"))
    assert one is again is not other
    assert len(made) == 2
    assert (one.kind, one.size, one.dtype) == ("packed", 6, value.dtype)
    assert one.value is not None
    assert one.value.data is not None
    assert one.value.data.tolist() == [[0, 3], [1, 4], [2, 5]]
    before = len(packing._storages)
    del value, one, again, other
    made.clear()
    gc.collect()
    assert len(packing._storages) < before


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_large_weights_are_packed_later_from_where_they_lie(axes: tuple[int, ...]) -> None:
    lying = np.arange(3 << 18, dtype=np.float32).reshape(3, 1 << 9, 1 << 9)
    value = const(lying.transpose(axes))
    assert value.data is not None
    storage = packed(value, "negative", np.negative, value.data.shape)
    assert storage.deferred is not None
    assert storage.value is None
    assert np.shares_memory(storage.deferred.source, value.data) == (axes != (1, 0, 2))
    assert np.array_equal(storage.deferred.made(), -value.data)
