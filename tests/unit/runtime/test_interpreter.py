"""Native code finds in Python and numpy what it expects there, or is told to keep away."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from sardonyx.base.shortcut import Interpreter, ObjectBytes
from sardonyx.runtime import interpreter


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    interpreter.words.cache_clear()
    yield
    interpreter.words.cache_clear()


def test_all_words_are_known() -> None:
    words = interpreter.words()
    assert words is not None
    assert words.all()
    assert words[Interpreter.NONE] == id(None)


def test_numpys_function_makes_arrays() -> None:
    words = interpreter.words()
    assert words is not None
    prototype = ctypes.PYFUNCTYPE(
        *(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_int, ctypes.c_void_p),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p),
    )
    new = prototype(int(words[Interpreter.NEW_ARRAY]))
    sizes, dtype = (ctypes.c_int64 * 2)(3, 5), np.dtype(np.int16)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))
    made = new(id(np.ndarray), dtype, 2, sizes, None, None, 0, None)
    assert (type(made), made.shape, made.dtype) == (np.ndarray, (3, 5), dtype)


@pytest.mark.parametrize("offset", list(ObjectBytes))
def test_another_layout_is_noticed(offset: ObjectBytes, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {word.name: int(word) + (4 if word is offset else 0) for word in ObjectBytes}
    monkeypatch.setattr(interpreter, "ObjectBytes", SimpleNamespace(**moved))
    assert interpreter.words() is None


def test_other_interpreters_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name="pypy"))
    assert interpreter.words() is None


def test_builds_without_a_lock_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_HEADER_BYTES", 32)
    assert interpreter.words() is None
