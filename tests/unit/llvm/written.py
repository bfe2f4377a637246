"""Runs instructions that a test writes, on whole vectors, for tests of what writes instructions."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V
from sardonyx.object import executor
from tests.unit.objects import compiled, compiled_alone, loaded

Array = npt.NDArray[Any]
_SCALARS = {"float32": "float", "float64": "double", "float16": "half", "bool": "i8"}
_ARRAYS = {"float": "f4", "double": "f8", "half": "f2", "ptr": "i8", "i1": "?"}


def scalar_of(dtype: np.dtype[Any]) -> str:
    """The LLVM type of one element in memory."""
    return _SCALARS.get(dtype.name) or f"i{dtype.itemsize * 8}"


def run(write: Callable[..., Sequence[V]], *arrays: Array, target: Target | None = None) -> list[Array]:
    """What `write(function, *vectors)` returns, as arrays; each array is one vector, an element a lane."""
    target = target or targets.detect()
    module = Module()
    names = [f"in{n}" for n in range(len(arrays))]
    f = Function(module, "written", [(name, "ptr") for name in (*names, "out")])
    *sources, out = f.params
    vectors = [
        f.load(source, vector_of(scalar_of(a.dtype), a.size))
        for source, a in zip(sources, arrays, strict=True)
    ]
    results = write(f, *vectors)
    for number, result in enumerate(results):
        stored = f.convert("zext", result, "i8") if result.scalar == "i1" else result
        f.store(stored, f.gep(out, V(str(number * 1024), "i64"), "i8"))
    f.ret()
    f.finish()
    image = loaded([compiled(executor.ir(target), target), compiled_alone(module.text(), target)], target)
    inputs, memory = [np.ascontiguousarray(a) for a in arrays], np.zeros(1024 * len(results), np.uint8)
    pointers = [*(a.ctypes.data for a in inputs), memory.ctypes.data]
    ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * len(pointers)))(image.address("written"))(*pointers)
    dtypes = [np.dtype(_ARRAYS.get(r.scalar) or f"i{max(8, int(r.scalar[1:])) // 8}") for r in results]
    return [
        memory[n * 1024 : n * 1024 + r.lanes * d.itemsize].view(d)
        for n, (r, d) in enumerate(zip(results, dtypes, strict=True))
    ]


def formula(build: Callable[..., Lanes], *arrays: Array, target: Target | None = None) -> Array:
    """The same for a formula of `Lanes` with one result."""
    (result,) = run(lambda f, *v: [build(*(Lanes(f, x) for x in v)).v], *arrays, target=target)
    return result
