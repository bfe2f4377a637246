"""Functions on matrix registers, executed by the model of those registers, for tests on any machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from tests.unit.kernels.tiles.made import TARGET
from tests.unit.llvm.registers import modelled
from tests.unit.objects import loaded


class Modelled:
    """The functions that `define` adds to a module, and may call though they are internal."""

    def __init__(self, define: Callable[[Module], Any]) -> None:
        module = Module()
        self.names = define(module)
        self._model: list[Any] = []
        text = modelled(module.text(), self._model).replace("define internal ", "define dso_local ")
        self._image: LoadedImage = loaded([engine.compile_object(text, TARGET)], TARGET)

    def call(self, name: str, *arguments: Any, result: bool = False) -> int:
        """Call a function of integers; arrays are handed over by their address."""
        values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        kinds = [ctypes.c_int64] * len(values)
        kind = ctypes.c_int64 if result else None
        return ctypes.CFUNCTYPE(kind, *kinds)(self._image.address(name))(*values) or 0
