"""The address of a numpy array's data, fast.

Reads it from the array object itself if the object is laid out as expected, which is verified at import.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_WORD = 8


def _asked(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _reader() -> Callable[[Array], int]:
    """The fastest reader that gives the right answers here."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != _WORD:
        return _asked
    words = ctypes.cast(_WORD, ctypes.POINTER(ctypes.c_int64))
    whole = np.zeros((3, 5), np.float32)
    samples: list[Array] = [
        whole,
        whole[1:, 2:],
        np.zeros((), np.int8),
        np.zeros(7),
        np.empty((0, 2)),
        whole.T,
    ]
    # The data pointer follows the object header, whose size differs between builds of Python.
    header = object.__basicsize__
    offset = header - _WORD
    if header % _WORD == 0 and all(words[(id(a) + offset) // _WORD] == _asked(a) for a in samples):
        return lambda array: words[(id(array) + offset) >> 3]
    return _asked


address_of: Callable[[Array], int] = _reader()
"""The address of the first element of an array, in about 0.1 us."""
