"""Constants rearranged for a kernel: made once for each arrangement, forgotten with the constant."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from sardonyx.base.deferred import Deferred, in_memory
from sardonyx.ir.place import Storage
from sardonyx.ir.value import Value, const

Array = np.ndarray[Any, Any]
_storages: WeakKeyDictionary[Value, dict[Hashable, Storage]] = WeakKeyDictionary()


_LARGE_BYTES = 1 << 17
"""What is larger is packed when it is stored."""


def packed(
    value: Value,
    arrangement: Hashable,
    pack: Callable[[Array], Array],
    shape: tuple[int, ...] | None = None,
    parts: Callable[[Array], Iterable[Array]] = lambda whole: (whole,),
) -> Storage:
    """The storage of `pack(content of value)`; `arrangement` tells apart the packings of one constant.

    If the `shape` of the result is known, a large one is deferred, and stored in what is made of `parts`.
    """
    storages = _storages.setdefault(value, {})
    if arrangement not in storages:
        assert value.data is not None
        if shape is not None and value.data.nbytes > _LARGE_BYTES:
            is_whole = in_memory(value.data).flags.c_contiguous
            source = value.data if is_whole else np.ascontiguousarray(value.data)
            deferred = Deferred(source, arrangement, shape, pack, parts)
            storages[arrangement] = Storage("packed", value.dtype, prod(shape), deferred=deferred)
            return storages[arrangement]
        data = const(pack(np.ascontiguousarray(value.data)))
        storages[arrangement] = Storage("packed", value.dtype, data.size, 0, data)
    return storages[arrangement]
