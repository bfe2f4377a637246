"""A constant is packed once for each arrangement."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

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
