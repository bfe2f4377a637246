"""What native code needs of Python and numpy: addresses of functions and types, and how objects are laid out.

Decides whether this interpreter is one that native code may work with; must not know what it does there.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from functools import cache
from typing import Any

import numpy as np

from sardonyx.base.shortcut import Interpreter, ObjectBytes
from sardonyx.runtime.allocate import Words

_FUNCTIONS = {
    Interpreter.HOLD: "Py_IncRef",
    Interpreter.LET_GO: "Py_DecRef",
    Interpreter.FED: "PyDict_GetItemWithError",
    Interpreter.FEED_COUNT: "PyDict_Size",
    Interpreter.NAME_COUNT: "PyList_Size",
    Interpreter.NAME: "PyList_GetItem",
    Interpreter.COMPARE: "PyUnicode_Compare",
    Interpreter.NEW_LIST: "PyList_New",
    Interpreter.SET_ITEM: "PyList_SetItem",
    Interpreter.CALL: "PyObject_Vectorcall",
    Interpreter.LEAVE: "PyEval_SaveThread",
    Interpreter.ENTER: "PyEval_RestoreThread",
    Interpreter.FAILED: "PyErr_ExceptionMatches",
    Interpreter.IS_RAISED: "PyErr_Occurred",
    Interpreter.FORGET: "PyErr_Clear",
    Interpreter.NUMBER: "PyLong_AsLongLong",
}
_TYPES: dict[int, object] = {
    Interpreter.NONE: None,
    Interpreter.DICT: dict,
    Interpreter.LIST: list,
    Interpreter.TEXT: str,
    Interpreter.ARRAY: np.ndarray,
    Interpreter.EXCEPTION: Exception,
    Interpreter.TRUE: True,
    Interpreter.FALSE: False,
}
_NEW_FROM_DESCR = 94
"""The number of PyArray_NewFromDescr in numpy's table of functions, which is part of its binary interface."""
_WORD = 8
_HEADER_BYTES = 16
"""Of an object in builds of CPython with an interpreter lock: a count of references and a type."""
_FASTCALL_WITH_KEYWORDS = 0x80 | 0x02


@cache
def words() -> Words | None:
    """The words of `base.shortcut.Interpreter`; None if native code cannot work with this interpreter.

    That is so in other implementations than CPython, and in builds of it without an interpreter lock.
    """
    is_known = sys.implementation.name == "cpython" and ctypes.sizeof(ctypes.c_void_p) == _WORD
    if not is_known or object.__basicsize__ != _HEADER_BYTES or not _are_laid_out():
        return None
    found = np.zeros(Interpreter.WORDS, np.int64)
    for word, value in _TYPES.items():
        found[word] = id(value)
    for number, name in _FUNCTIONS.items():
        found[number] = _address_of(getattr(ctypes.pythonapi, name))
    found[Interpreter.NEW_ARRAY] = _numpy_function(_NEW_FROM_DESCR)
    return found


def _are_laid_out() -> bool:
    """Whether arrays hold what native code reads where it expects that."""
    whole = np.zeros((3, 5), np.float32)
    swapped = np.zeros(2, ">i8")
    samples = (whole, whole[1:, 2:], whole.T, np.zeros((), np.int8), np.zeros((0, 2)), swapped)
    return sys.byteorder == "little" and all(_is_laid_out(array) for array in samples)


def _is_laid_out(array: np.ndarray[Any, Any]) -> bool:
    dtype = array.dtype
    sizes, strides = (_read(array, ObjectBytes.SIZES + n, ctypes.c_void_p) for n in (0, _WORD))
    found = (
        _read(array, ObjectBytes.TYPE, ctypes.c_void_p),
        _read(array, ObjectBytes.DATA, ctypes.c_void_p),
        _read(array, ObjectBytes.AXES, ctypes.c_int),
        _read(array, ObjectBytes.DTYPE, ctypes.c_void_p),
        _read(array, ObjectBytes.FLAGS, ctypes.c_int),
        _read(dtype, ObjectBytes.NUMBER, ctypes.c_int),
        _read(dtype, ObjectBytes.ORDER, ctypes.c_char),
    )
    facts = (array.ndim, id(dtype), array.flags.num, dtype.num, dtype.byteorder.encode())
    if found != (id(np.ndarray), array.ctypes.data, *facts):
        return False
    # Sizes and strides lie side by side: their addresses can be told before they are read.
    if not array.ndim:
        return True
    near = bool(sizes) and strides == sizes + _WORD * array.ndim
    return near and tuple((ctypes.c_int64 * array.ndim).from_address(sizes)) == array.shape


def _read(value: object, offset: int, kind: Any) -> Any:
    return kind.from_address(id(value) + offset).value


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _numpy_function(number: int) -> int:
    core = importlib.import_module("numpy._core._multiarray_umath")
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    table: int = prototype(_address_of(ctypes.pythonapi.PyCapsule_GetPointer))(core._ARRAY_API, None)
    return (ctypes.c_int64 * (number + 1)).from_address(table)[number]


class Held(np.ndarray[Any, Any]):
    """Words for a built-in function, which hold what they point at as their `owner`."""

    owner: object


def builtin(definition: Held, address: int, name: bytes) -> Any:
    """The native function at `address` as a built-in function of Python, which is given `definition`.

    The first four words of `definition` become its description (PyMethodDef). Its arguments in C are those
    words, as an array, and what METH_FASTCALL | METH_KEYWORDS stands for. `name` must outlive it.
    """
    definition[:4] = (_address_of(ctypes.c_char_p(name)), address, _FASTCALL_WITH_KEYWORDS, 0)
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return prototype(_address_of(ctypes.pythonapi.PyCFunction_NewEx))(
        definition.ctypes.data, definition, None
    )
