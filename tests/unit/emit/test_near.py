"""Elements at places from data, one by one or out of vectors: the same, and none outside of a row is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.emit.access import FAIL_INDEX
from sardonyx.emit.near import may_be_near
from sardonyx.emit.nest import emit
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Load, Pick, Store, along
from sardonyx.loops.schedule import schedule
from sardonyx.targets.x86_64 import isa
from tests.unit.emit.alone import Stopped, check, run

N = 53
ROWS = 3
ROW, AXIS = Axis("r", ROWS), Axis("i", N)
EXTENTS = [1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 200]
DTYPES = [dt.F32, dt.I32, dt.U8, dt.I8, dt.BOOL, dt.F16, dt.BF16, dt.F64]
PATTERNS: dict[str, Callable[[int], Any]] = {
    "growing": lambda n: np.arange(N) * n // (2 * N),
    "shrinking": lambda n: np.arange(N) * n // N,
    "far apart": lambda n: np.arange(N) * 7 % n,
    "backwards": lambda n: (n - 1 - np.arange(N)).clip(0),
    "the last": lambda n: np.full(N, n - 1),
    "from the end": lambda n: -1 - np.arange(N) * n // N,
}


def picking(
    extent: dims.Dim, dtype: DType = dt.F32, index: DType = dt.I32
) -> tuple[Kernel, Buffer, Buffer, Buffer]:
    x, i, y = Buffer("x", dtype, "in"), Buffer("i", index, "in"), Buffer("y", dtype, "out")
    pick = Pick(Load(i, along(AXIS), index), 1, extent)
    row = Affine(0, ((ROW, extent),))
    at = Affine(0, ((ROW, N), (AXIS, 1)))
    body = (Store(y, at, (), Load(x, row, dtype, (pick,))),)
    return Kernel("k", (ROW, AXIS), body, (), vector=AXIS), x, i, y


def numbers(size: int, dtype: DType) -> Any:
    return np.random.default_rng(size).integers(0, 2 if dtype is dt.BOOL else 90, size).astype(dtype.numpy)


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_rows_of_every_length_are_read_inside(pattern: str, extent: int) -> None:
    places = PATTERNS[pattern](extent)
    for size, sizes in ((extent, {}), (dims.symbol("n"), {"n": extent})):
        kernel, x, i, y = picking(size)
        memory = {x: numbers(ROWS * extent, dt.F32), i: places.astype(np.int32), y: numbers(ROWS * N, dt.F32)}
        check(kernel, memory, sizes)


@pytest.mark.parametrize("index", [dt.I32, dt.I64], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("pattern", ["growing", "shrinking"])
def test_elements_of_every_type(pattern: str, dtype: DType, index: DType) -> None:
    kernel, x, i, y = picking(100, dtype, index)
    places = PATTERNS[pattern](100).astype(index.numpy)
    check(kernel, {x: numbers(300, dtype), i: places, y: numbers(ROWS * N, dtype)})


@pytest.mark.parametrize("extent", [9, 40, 200])
@pytest.mark.parametrize("lane", [0, 1, 20, N - 1])
@pytest.mark.parametrize("outside", ["behind", "before", "far"])
def test_a_place_outside_ends_the_call(outside: str, lane: int, extent: int) -> None:
    kernel, x, i, y = picking(extent)
    places = np.minimum(np.arange(N, dtype=np.int32), extent - 1)
    places[lane] = {"behind": extent, "before": -extent - 1, "far": 1 << 30}[outside]
    with pytest.raises(Stopped) as stopped:
        run(kernel, {x: numbers(ROWS * extent, dt.F32), i: places, y: numbers(ROWS * N, dt.F32)})
    assert stopped.value.args == (FAIL_INDEX, places[lane], extent)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda target: target.name)
def test_small_elements_are_picked_and_large_ones_gathered(target: Any) -> None:
    permutes = "permps" if target is isa.V3 else "vpermi2var"
    assert may_be_near(target, "i8", target.lanes)
    assert not may_be_near(target, "double", target.lanes)
    assert permutes in emit(picking(100)[0], target).ir
    assert permutes not in emit(picking(100, dt.F64)[0], target).ir


@pytest.mark.parametrize("extent", [10, 16, 300])
def test_what_is_picked_is_written_out_once(extent: int) -> None:
    x, i, y = Buffer("x", dt.U8, "in"), Buffer("i", dt.I32, "in"), Buffer("y", dt.I16, "out")
    row, column = Axis("r", dims.symbol("n")), Axis("c", extent)
    picked = Load(x, Affine(0, ((row, 512),)), dt.U8, (Pick(Load(i, along(column), dt.I32), 1, 512),))
    store = Store(y, Affine(0, ((row, extent), (column, 1))), (), Apply("cast", (picked,), dt.I16))
    kernel = schedule(Kernel("k", (row, column), (store,), ()), isa.V3)
    text = emit(kernel, isa.V3).ir
    loops = 1 if extent % isa.V3.lanes == 0 else 2
    assert text.count("@sdx_fail(ptr %ctx, i64 1") <= loops
