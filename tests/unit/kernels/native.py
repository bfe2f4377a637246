"""Calls contraction kernels on guarded memory, for tests: every buffer ends where unmapped memory begins."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Conv, Gemm
from sardonyx.kernels.library import matrices_ir, outliers_convolutions_ir, outliers_ir
from sardonyx.kernels.scratch import convolution_bytes, product_bytes
from sardonyx.object.engine import compile_object
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import is_for_others, narrow_twin, runnable_targets, with_each_feature
from tests.unit.contexts import contexts
from tests.unit.llvm import dots
from tests.unit.llvm.registers import modelled
from tests.unit.objects import compiled, contractions, loaded

Array = npt.NDArray[Any]
SUFFIXES = {"float32": "f32", "float64": "f64"}
Epilogue = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
)
MASKED_BYTES = int(os.environ.get("TEST_MASKED_BYTES", "0"))
"""How far behind a buffer a masked load may touch memory: not at all, but QEMU 7 reads masked lanes too."""
KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


@cache
def library(target: Target, dtype: str) -> LoadedImage:
    """The compiled kernels of one element type, or of operands such as `i8`; `u8s8_i8` on matrix registers.

    A model stands for the latter where the target has none. Those of `outliers_i8pairs` take any weights.
    """
    dtype = SUFFIXES.get(dtype, dtype)
    number, _, operand = dtype.rpartition("_")
    codes = contractions(Goal(target), operand)
    if number == "outliers":
        texts = outliers_ir(Goal(target)), outliers_convolutions_ir(Goal(target))
        codes += [compiled(text, target, quick=is_for_others(target)) for text in texts]
    elif number:
        (tile,) = (row for row in isa.V4.matrices if row.name == number)
        text = matrices_ir(tile, Goal(target))
        has = set(tile.features) <= set(target.features)
        codes.append(compiled(text, target) if has else compile_object(modelled(text, _models), target))
    return loaded(codes, target)


_models: list[Any] = []


def guarded(array: Array, *, align: int = 1) -> Array:
    """A copy that ends at unmapped memory, up to the alignment."""
    page = mmap.PAGESIZE
    size = -(-array.nbytes // align) * align + MASKED_BYTES
    pages = -(-size // page) + 1
    memory = mmap.mmap(-1, (pages + 1) * page)
    base = np.frombuffer(memory, np.uint8)
    end = pages * page
    _protect(base.ctypes.data + end, page)
    copy = base[end - size : end - size + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _protect(address: int, size: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), 0) == 0


@cache
def _scratch(target: Target) -> Array:
    most = max(product_bytes(target), convolution_bytes() + target.l2_bytes)
    return guarded(np.zeros(most, np.uint8), align=64)


def run(
    symbol: str, target: Target, dtype: str, words: Mapping[Any, int], size: int, threads: int = 1
) -> None:
    """Call the kernel once for each thread of a team, one after the other."""
    args = np.zeros(size, np.int64)
    for index, value in words.items():
        args[index] = value
    args[Conv.L2_BYTES if symbol == "sdx_conv" else Gemm.L2_BYTES] = target.l2_bytes
    address = library(target, dtype).address(f"{symbol}_{SUFFIXES.get(dtype, dtype)}")
    execute(address, args, _scratch(target), threads)


def execute(address: int, args: Array, scratch: Array, threads: int = 1) -> None:
    """Call a kernel once for each thread of a team, one after the other, with scratch full of NaN."""
    function = KERNEL(address)
    for context in contexts(threads, scratch):
        scratch.fill(0xFF)
        function(args.ctypes.data, context.ctypes.data)


def bits(value: float, dtype: str) -> int:
    """The word that holds a number."""
    number = np.array([value], dtype)
    return int(number.view(f"i{number.itemsize}")[0])


def finish_words(
    words: type[IntEnum], dtype: str, low: float = -np.inf, high: float = np.inf
) -> dict[Any, int]:
    """FINISH without bias and residual."""
    return {words["FINISH"]: 1, words["LOW"]: bits(low, dtype), words["HIGH"]: bits(high, dtype)}


def tile_view(tile: int, pitch: int, rows: int, columns: int, dtype: str) -> Array:
    """The part of a tile that an epilogue is given."""
    item = np.dtype(dtype).itemsize
    flat = (ctypes.c_char * (((rows - 1) * pitch + columns) * item)).from_address(tile)
    return np.lib.stride_tricks.as_strided(np.frombuffer(flat, dtype), (rows, columns), (pitch * item, item))


def strides(array: Array) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(s // array.itemsize for s in array.strides)


def most_weight(target: Target, operand: str) -> int:
    """The magnitude of bytes that a tile multiplies exactly, whatever stands beside them."""
    tile = Goal(target).find_tile(operand)
    return tile.limit // (2 * tile.instruction.steps) if tile and tile.limit else 128


def integer_cases() -> list[Any]:
    """(target, operands of a tile) for each tile of small integers that this machine can execute.

    A model stands for the dot products of bytes that it lacks.
    """
    twin = narrow_twin()
    found = [
        (target, operand, f"{target.name}-{operand}-{tile.instruction.name.replace(' ', '-')}")
        for target in (*with_each_feature(), *([twin] if twin else []))
        for operand in ("i8", "i8pairs", "i16")
        if (tile := Goal(target).find_tile(operand)) and (target is not twin or operand == "i8")
    ]
    (tile,) = (row for row in isa.V4.matrices if row.operand == "i8")
    best, vectors = targets.detect(), isa.with_features(isa.V4, ["avx512vnni"])
    for target, how in ((isa.with_features(isa.V4, tile.features), "registers"), (vectors, "model")):
        if set(target.features) <= set(best.features):
            found.append((target, f"{tile.name}_i8", f"{target.name}-{tile.instruction.name}-{how}"))
    for level in runnable_targets():
        lacking = {name for tile in level.tiles if tile.operand == "i8" for name in tile.features}
        if lacking - set(best.features):
            target = dots.modelled(level)
            found.append((target, "i8", f"{target.name}-i8-vpdpbusd"))
    return [pytest.param(target, operand, id=name) for target, operand, name in found]
