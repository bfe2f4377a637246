"""Constants rearranged for a kernel: made once for each arrangement, forgotten with the constant."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from sardonyx.ir.place import Storage
from sardonyx.ir.value import Value, const

_storages: WeakKeyDictionary[Value, dict[Hashable, Storage]] = WeakKeyDictionary()


def packed(
    value: Value, arrangement: Hashable, pack: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
) -> Storage:
    """The storage of `pack(content of value)`; `arrangement` tells apart the packings of one constant."""
    storages = _storages.setdefault(value, {})
    if arrangement not in storages:
        assert value.data is not None
        data = const(pack(np.ascontiguousarray(value.data)))
        storages[arrangement] = Storage("packed", value.dtype, data.size, 0, data)
    return storages[arrangement]
