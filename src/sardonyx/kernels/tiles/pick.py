"""Which micro-kernel serves a tile, by its rows and width. Must not know what they mean."""

from __future__ import annotations

from collections.abc import Iterable

from sardonyx.kernels.tiles.microkernel import MicroKernel, define
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

GEMV_ROWS = 3
"""Up to so many rows a product is bound by the latency of its few sums, which are then split in phases.

Not where products are widened: their sums wait for additions of integers alone, and registers are few.
"""

_GEMV_SUMS = 12


def define_pick(module: Module, shape: TileShape) -> str:
    """Add `ptr @name(i64 rows, i1 narrow, i1 few)` and all micro-kernels; returns the name.

    `narrow` asks for one vector instead of all, `few` for k in phases and streams (only up to `few_rows`).
    """
    name = f"pick_brgemm_{shape.name}"
    if module.has(name):
        return name
    params = [("rows", "i64"), ("narrow", "i1"), ("few", "i1")]
    f = Function(module, name, params, "ptr", internal=True, attributes="nounwind noinline")
    rows, narrow, few = f.params
    picked, widths = V("null", "ptr"), (shape.vectors, 1)
    for count in range(1, shape.max_rows + 1):
        kernels = [_micro_kernel(module, shape, count, vectors) for vectors in widths]
        if count <= few_rows(shape) and not shape.instruction.widen:
            split = [_micro_kernel(module, shape, count, v, *_split(shape, count, v)) for v in widths]
            kernels = [f.select(few, s, k) for s, k in zip(split, kernels, strict=True)]
        kernel = f.select(narrow, kernels[1], kernels[0])
        picked = f.select(f.icmp("eq", rows, int_(count)), kernel, picked)
    f.ret(picked)
    f.finish()
    return name


def define_pick_differing(module: Module, shape: TileShape) -> str:
    """Add `ptr @name(i64 rows)` and the micro-kernels that take differences of B; returns the name."""
    name = f"pick_strassen_{shape.operand}"
    f = Function(module, name, [("rows", "i64")], "ptr", internal=True, attributes="nounwind noinline")
    picked = V("null", "ptr")
    for count in range(1, shape.max_rows + 1):
        kernel = V(f"@{define(module, MicroKernel(shape, count, shape.vectors, differs=True))}", "ptr")
        picked = f.select(f.icmp("eq", f.params[0], int_(count)), kernel, picked)
    f.ret(picked)
    f.finish()
    return name


def few_rows(shape: TileShape) -> int:
    """The most rows of a tile whose k may be split."""
    return shape.max_rows if shape.prefetch.streams > 1 and shape.is_float else GEMV_ROWS


def _split(shape: TileShape, rows: int, vectors: int) -> tuple[int, int]:
    """Phases and streams of a tile with few rows."""
    most = shape.prefetch.streams
    if most == 1:
        return (4 if 4 * rows * vectors <= _GEMV_SUMS else 2), 1
    return (1 if rows > GEMV_ROWS else 2 if rows > 1 else most), (2 if rows > 1 else most)


def picked(f: Function, pick: V, sizes: Iterable[V], narrow: V, few: V) -> list[V]:
    """The micro-kernels for tiles of these rows."""
    return [f.value("ptr", f"call ptr {pick.text}({rows}, {narrow}, {few})") for rows in sizes]


def _micro_kernel(
    module: Module, shape: TileShape, rows: int, vectors: int, phases: int = 1, streams: int = 1
) -> V:
    name = define(module, MicroKernel(shape, rows, vectors, phases, streams))
    return V(f"@{name}", "ptr")
