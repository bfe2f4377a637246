"""Runs one element-wise primitive natively over whole arrays, for tests."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.llvm import convert, maps
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.runtime.image import LoadedImage
from tests.unit.objects import compiled_alone, loaded

Array = npt.NDArray[Any]
CHUNK = 32


@dataclass(frozen=True)
class Case:
    """One use of a primitive; `constants` are operands written as literals, by position."""

    prim: str
    types: tuple[DType, ...]
    result: DType
    attrs: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[int, Any] = field(default_factory=dict)
    masked: bool = False

    @property
    def name(self) -> str:
        """A symbol."""
        to = "".join(f"_{v}" for v in self.attrs.values())
        literals = "".join(f"_{i}_{np.float64(v).tobytes().hex()}" for i, v in self.constants.items())
        return f"{self.prim}_{'_'.join(map(repr, self.types))}{to}{literals}{'_masked' * self.masked}"


class Natives:
    """Several cases compiled together; undefined symbols make the linking fail."""

    def __init__(self, cases: Sequence[Case], target: Target, lanes: int) -> None:
        module = Module()
        for case in cases:
            _write(module, case, target, lanes)
        self._image: LoadedImage = loaded([compiled_alone(module.text(), target)], target)

    def run(self, case: Case, *arrays: Array) -> tuple[Array, bool]:
        """The results, and whether an error was reported; the arrays' size is a multiple of CHUNK."""
        inputs = [np.ascontiguousarray(a) for a in arrays]
        size = inputs[0].size
        assert size % CHUNK == 0
        out, failed = np.zeros(size, case.result.numpy), np.zeros(1, np.int64)
        pointers = [out, *inputs, *([failed] * (len(case.types) - len(inputs))), failed]
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, *([ctypes.c_void_p] * len(pointers)))
        kernel(self._image.address(case.name))(size, *(p.ctypes.data for p in pointers))
        return out, bool(failed[0])


def _write(module: Module, case: Case, target: Target, lanes: int) -> None:
    pointers = ["out", *(f"in{i}" for i in range(len(case.types))), "failed"]
    f = Function(module, case.name, [("n", "i64"), *((name, "ptr") for name in pointers)])
    n, out, *sources, failed = f.params

    def fail(code: str, condition: V) -> None:
        assert code == "div0"
        with f.when(condition):
            f.store(int_(1), failed)

    with f.loop(int_(0), n, lanes) as loop:
        args = [_load(f, case, i, source, loop.index, lanes) for i, source in enumerate(sources)]
        mask = f.convert("trunc", f.iota(lanes, "i64"), "i1") if case.masked else None
        y = maps.apply(f, target, case.prim, args, case.types, case.result, case.attrs, mask, fail)
        assert y.type == vector_of(convert.compute_type(case.result), lanes)
        scalar = convert.memory_type(case.result)
        f.store(convert.to_memory(f, y, case.result, target), f.gep(out, loop.index, scalar))
    f.ret()
    f.finish()


def _load(f: Function, case: Case, position: int, source: V, index: V, lanes: int) -> V:
    dtype = case.types[position]
    if position in case.constants:
        return convert.literal(case.constants[position], dtype, lanes)
    scalar = convert.memory_type(dtype)
    loaded = f.load(f.gep(source, index, scalar), vector_of(scalar, lanes))
    return convert.from_memory(f, loaded, dtype)


def samples(dtype: DType, count: int, rng: np.random.Generator) -> Array:
    """Random values of all sizes."""
    if dtype is dt.BOOL:
        return rng.integers(0, 2, count).astype(np.bool_)
    if dtype.is_float:
        bits = rng.integers(0, 1 << dtype.bits, count, dtype=np.uint64).astype(f"u{dtype.size_bytes}")
        some = (rng.standard_normal(count) * 8).astype(dtype.numpy)
        return np.where(rng.random(count) < 0.5, bits.view(dtype.numpy), some)
    info = np.iinfo(dtype.numpy)
    wide = rng.integers(info.min, info.max, count, dtype=dtype.numpy, endpoint=True)
    low = max(info.min, -9)
    return np.where(rng.random(count) < 0.5, wide, rng.integers(low, 9, count).astype(dtype.numpy))


def specials(dtype: DType) -> Array:
    """Values where operations tend to go wrong."""
    if dtype is dt.BOOL:
        return np.array([False, True])
    if dtype.is_float:
        info: Any = ml_dtypes.finfo(dtype.numpy)  # type: ignore[no-untyped-call]
        normal = float(info.smallest_normal)
        edge = [0.0, 0.5, 1.0, 1.5, 2.5, np.inf, float(info.max), normal, 0.75 * normal]
        both = [sign * v for v in edge for sign in (1, -1)]
        return np.array([*both, np.nan, 100.25, 3e9, -3e9, 1e19]).astype(dtype.numpy)
    info = np.iinfo(dtype.numpy)
    chosen = {info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 7, dtype.bits, dtype.bits - 1}
    return np.array(sorted(chosen | ({-1, -2, -5} if info.min else set())), dtype.numpy)


def operands(types: Sequence[DType], rng: np.random.Generator, count: int = 320) -> list[Array]:
    """Arrays with all pairs of special values, then random ones; size a multiple of CHUNK."""
    grids = np.meshgrid(*(specials(t) for t in types), indexing="ij")
    total = -(-(grids[0].size + count) // CHUNK) * CHUNK
    return [
        np.concatenate([grid.reshape(-1), samples(t, total - grid.size, rng)])
        for t, grid in zip(types, grids, strict=True)
    ]
