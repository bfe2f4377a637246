"""What is read along one axis and written along another goes through registers, whole squares and parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.emit.nest import emit
from sardonyx.emit.tile import TileEmitter
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Load, Reduce, Reduced, Store, along
from tests.unit.emit.alone import check


def turned(rows: Dim, columns: Dim, dtype: DType, dear: bool = False) -> tuple[Kernel, Buffer, Buffer]:
    """y[c, r] = f(x[r, c]): lanes along the rows, squares across to the columns."""
    x, y = Buffer("x", dtype, "in"), Buffer("y", dtype, "out")
    row, column = Axis("r", rows), Axis("c", columns)
    value: Expr = Load(x, Affine(0, ((row, columns), (column, 1))), dtype)
    for _ in range(20 if dear else 1):
        value = Apply("add", (value, value), dtype)
    body = (Store(y, Affine(0, ((row, 1), (column, rows))), (), value),)
    return Kernel("k", (column, row), body, (), vector=row, cross=column), x, y


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (32, 48), (17, 5), (1, 40), (40, 33)])
@pytest.mark.parametrize("dtype", [dt.F32, dt.F64, dt.I8, dt.F16], ids=str)
@pytest.mark.parametrize("open_", [False, True])
def test_squares(rows: int, columns: int, dtype: DType, open_: bool) -> None:
    kernel, x, y = turned(*((dims.symbol("r"), dims.symbol("c")) if open_ else (rows, columns)), dtype)
    source = np.random.default_rng(1).integers(-9, 9, rows * columns).astype(dtype.numpy)
    check(kernel, {x: source, y: np.zeros(rows * columns, dtype.numpy)}, {"r": rows, "c": columns})


def test_dear_expressions_are_written_once_and_go_through_memory() -> None:
    kernel, x, y = turned(33, 20, dt.I32, dear=True)
    check(kernel, {x: np.arange(660, dtype=np.int32), y: np.zeros(660, np.int32)})
    assert emit(kernel, targets.detect()).scratch_bytes
    assert not emit(turned(32, 32, dt.F32)[0], targets.detect()).scratch_bytes


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 12, 16])
@pytest.mark.parametrize("rows", [16, 19, 3])
def test_short_rows_are_taken_apart_and_woven_together(count: int, rows: int) -> None:
    x, y, sums = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out"), Buffer("s", dt.F32, "out")
    row, cross = Axis("r", dims.symbol("r")), Axis("c", count)
    at = Affine(0, ((row, count), (cross, 1)))
    total = Reduced("t", dt.F32, frozenset([row]))
    load: Any = Load(x, at, dt.F32)
    body = (
        Reduce(total, "sum", (cross,), load),
        Store(y, at, (cross,), Apply("sub", (load, total), dt.F32)),
        Store(sums, along(row), (), total),
    )
    kernel = Kernel("k", (row,), body, (), vector=row, cross=cross)
    source = np.random.default_rng(count).integers(-9, 9, rows * count).astype(np.float32)
    memory = {x: source, y: np.zeros(rows * count, np.float32), sums: np.zeros(rows, np.float32)}
    check(kernel, memory, {"r": rows})


def test_the_kernel_is_written_by_the_emitter_of_tiles() -> None:
    assert TileEmitter.region_bytes == 0
