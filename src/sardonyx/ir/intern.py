"""By what equal values are found again: hashable forms of attributes and of the content of constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base.dtype import DType

_COMPARED = 4096
"""Constants of more elements are known by their array, not by its content."""


def freeze(data: Any) -> Any:
    """A hashable form of attributes."""
    if isinstance(data, dict):
        return tuple([(key, freeze(data[key])) for key in sorted(data)]) if data else ()
    try:
        hash(data)
    except TypeError:
        pass
    else:
        return data
    if isinstance(data, (list, tuple)):
        return tuple(map(freeze, data))
    return (data.dtype.str, data.shape, data.tobytes()) if isinstance(data, np.ndarray) else data


def const_key(data: np.ndarray[Any, Any], dtype: DType) -> Any:
    """What equal constants have in common; the array must live as long as the key."""
    if data.dtype == object:
        return ("const", dtype.name, data.shape, tuple(data.flat))
    content = data.tobytes() if data.size <= _COMPARED else id(data)
    return ("const", dtype.name, data.dtype.str, data.shape, content)
