"""Machine code of functions that kernels call inside, for tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.runtime.image import LoadedImage
from tests.unit.objects import compiled_alone, loaded

TARGET = targets.detect()
FLOATS = {"f32": np.float32, "f64": np.float64}


def shape_of(operand: str) -> TileShape:
    """The register tile of this machine."""
    return TileShape.of(Goal(TARGET), operand)


class Made:
    """The functions that `define` adds to a module, and may call though they are internal."""

    def __init__(self, define: Callable[[Module], Any]) -> None:
        module = Module()
        self.names = define(module)
        text = module.text().replace("define internal ", "define dso_local ")
        self._image: LoadedImage = loaded([compiled_alone(text, TARGET)], TARGET)

    def call(self, name: str, *arguments: Any, result: Any = None) -> Any:
        """Call a function; arrays are handed over by their address."""
        kinds: Sequence[Any] = [ctypes.c_bool if isinstance(a, bool) else ctypes.c_int64 for a in arguments]
        values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        return ctypes.CFUNCTYPE(result, *kinds)(self._image.address(name))(*values)

    def address(self, name: str) -> int:
        """Where a function is."""
        return self._image.address(name)
