"""Every distance between lanes reaches its elements and no others; indices from data are checked first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.emit.access import FAIL_INDEX, to_round
from sardonyx.emit.nest import emit
from sardonyx.emit.words import NARROW_STEPS
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Load, Pick, Store, along
from sardonyx.loops.schedule import schedule
from tests.unit.emit.alone import Stopped, check, run

N = 37
AXIS = Axis("i", N)
BAD = {dt.I64: (10, -11, 1 << 40), dt.I32: (10, -11, 2**31 - 1, -(2**31))}
DTYPES = [dt.F32, dt.F64, dt.I8, dt.BOOL, dt.F16, dt.BF16]


def buffers(dtype: DType = dt.F32) -> tuple[Buffer, Buffer]:
    return Buffer("x", dtype, "in"), Buffer("y", dtype, "out")


def numbers(size: int, dtype: DType = dt.F32) -> Any:
    return np.random.default_rng(size).integers(0, 2 if dtype is dt.BOOL else 90, size).astype(dtype.numpy)


@pytest.mark.parametrize("step", [0, 1, -1, *NARROW_STEPS, 5, -3])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_loads_at_every_distance(step: int, dtype: DType) -> None:
    x, y = buffers(dtype)
    span = abs(step) * (N - 1) + 1
    at = Affine(span - 1 if step < 0 else 0, ((AXIS, step),) if step else ())
    kernel = Kernel("k", (AXIS,), (Store(y, along(AXIS), (), Load(x, at, dtype)),), (), vector=AXIS)
    check(kernel, {x: numbers(span, dtype), y: numbers(N, dtype)})


@pytest.mark.parametrize("half", [dt.F16, dt.BF16], ids=str)
def test_what_is_cast_to_a_half_type_and_stored_is_rounded_once(half: DType) -> None:
    x, y = buffers()[0], Buffer("y", half, "out")
    single = Load(x, along(AXIS), dt.F32)
    cast = Apply("cast", (single,), half)
    store = Store(y, along(AXIS), (), cast)
    assert to_round(store) is single
    back = Apply("cast", (cast,), dt.F32)
    assert to_round(Store(x, along(AXIS), (), back)) is back
    values = np.random.default_rng(3).standard_normal(N).astype(np.float32)
    kernel = Kernel("k", (AXIS,), (store,), (), vector=AXIS)
    check(kernel, {x: values, y: np.zeros(N, half.numpy)})


@pytest.mark.parametrize("step", [1, 2, -1, 7])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_stores_at_every_distance(step: int, dtype: DType) -> None:
    x, y = buffers(dtype)
    span = abs(step) * (N - 1) + 1
    to = Affine(span - 1 if step < 0 else 0, ((AXIS, step),))
    kernel = Kernel("k", (AXIS,), (Store(y, to, (), Load(x, along(AXIS), dtype)),), (), vector=AXIS)
    check(kernel, {x: numbers(N, dtype), y: numbers(span, dtype)})


@pytest.mark.parametrize("step", [1, 3])
def test_a_distance_known_at_run_time(step: int) -> None:
    x, y = buffers()
    at = Affine(0, ((AXIS, dims.symbol("s")),))
    kernel = Kernel("k", (AXIS,), (Store(y, along(AXIS), (), Load(x, at, dt.F32)),), (), vector=AXIS)
    check(kernel, {x: numbers(step * (N - 1) + 1), y: numbers(N)}, {"s": step})


def picking(vector: Axis | None, of: DType = dt.I64) -> tuple[Kernel, Buffer, Buffer, Buffer]:
    x, y = buffers()
    i = Buffer("i", of, "in")
    picked = Load(x, Affine(), dt.F32, (Pick(Load(i, along(AXIS), of), 1, 10),))
    return Kernel("k", (AXIS,), (Store(y, along(AXIS), (), picked),), (), vector=vector), x, i, y


@pytest.mark.parametrize("of", [dt.I64, dt.I32], ids=str)
@pytest.mark.parametrize("vector", [None, AXIS])
def test_positions_from_data_count_from_the_end(vector: Axis | None, of: DType) -> None:
    kernel, x, i, y = picking(vector, of)
    check(kernel, {x: numbers(10), i: (np.arange(N) % 20 - 10).astype(of.numpy), y: numbers(N)})


@pytest.mark.parametrize(("of", "bad"), [(of, b) for of in (dt.I64, dt.I32) for b in BAD[of]], ids=str)
@pytest.mark.parametrize("vector", [None, AXIS])
@pytest.mark.parametrize("at", [0, 17, N - 1])
def test_a_position_outside_ends_the_call(vector: Axis | None, of: DType, bad: int, at: int) -> None:
    kernel, x, i, y = picking(vector, of)
    places = np.zeros(N, of.numpy)
    places[at] = bad
    with pytest.raises(Stopped) as stopped:
        run(kernel, {x: numbers(10), i: places, y: numbers(N)})
    assert stopped.value.args == (FAIL_INDEX, bad, 10)


ROW = Axis("r", 7)


def picking_rows(*strides: int, of: DType = dt.I64) -> tuple[Kernel, Buffer, Buffer, Buffer]:
    """Rows whose numbers are read from data, one number a stride."""
    x, y = buffers()
    i = Buffer("i", of, "in")
    at = [Load(i, Affine(n, ((ROW, len(strides)),)), of) for n in range(len(strides))]
    picks = tuple(Pick(index, stride, 5) for index, stride in zip(at, strides, strict=True))
    store = Store(y, Affine(0, ((ROW, N), (AXIS, 1))), (), Load(x, along(AXIS), dt.F32, picks))
    return Kernel("k", (ROW, AXIS), (store,), (), vector=AXIS), x, i, y


@pytest.mark.parametrize("of", [dt.I64, dt.I32], ids=str)
@pytest.mark.parametrize("strides", [(N,), (N * 5, N)])
def test_rows_are_checked_once_and_read_whole(strides: tuple[int, ...], of: DType) -> None:
    kernel, x, i, y = picking_rows(*strides, of=of)
    assert emit(kernel, targets.detect()).ir.count("call void @sdx_fail") == len(strides)
    size = 7 * len(strides)
    places = (np.arange(size) * 3 % 10 - 5).astype(of.numpy)
    check(kernel, {x: numbers(N * 5 ** len(strides)), i: places, y: numbers(7 * N)})
    for bad in (5, -6):
        places[size - 1] = bad
        with pytest.raises(Stopped) as stopped:
            run(kernel, {x: numbers(N * 5 ** len(strides)), i: places, y: numbers(7 * N)})
        assert stopped.value.args == (FAIL_INDEX, bad, 5)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_updates_at_positions_from_data(reduction: str) -> None:
    x, y = buffers(dt.I32)
    i = Buffer("i", dt.I64, "in")
    pick = Pick(Load(i, along(AXIS), dt.I64), 1, 5)
    store = Store(y, Affine(), (), Load(x, along(AXIS), dt.I32), (pick,), reduction)
    kernel = Kernel("k", (AXIS,), (store,), (), serial=True)
    memory = {x: numbers(N, dt.I32) % 3 + 1, i: np.arange(N) % 5, y: np.arange(5, dtype=np.int32)}
    got = run(kernel, memory)[y]
    expected = memory[y].copy()
    for n in range(N):
        old, new = int(expected[n % 5]), int(memory[x][n])
        updates = {"none": new, "add": old + new, "mul": (old * new + 2**31) % 2**32 - 2**31}
        updates |= {"max": max(old, new), "min": min(old, new)}
        expected[n % 5] = updates[reduction]
    assert got.tolist() == expected.tolist()


def updating_rows(
    dtype: DType, width: Dim, reduction: str, vector: bool
) -> tuple[Kernel, *tuple[Buffer, ...]]:
    """Rows of updates to rows whose numbers are read from data, in order."""
    x, y = buffers(dtype)
    i, row, column = Buffer("i", dt.I64, "in"), Axis("k", 9), Axis("c", width)
    at = Affine(0, ((row, width), (column, 1)))
    pick = Pick(Load(i, along(row), dt.I64), width, 4)
    store = Store(y, along(column), (), Load(x, at, dtype), (pick,), reduction)
    kernel = schedule(Kernel("k", (row, column), (store,), (), serial=True), targets.detect())
    assert (kernel.vector is not None) == vector
    return kernel, x, i, y


@pytest.mark.parametrize("dtype", [dt.F32, dt.F64, dt.F16, dt.I64, dt.U8], ids=str)
@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("width", [3, 4, 16, 17, 32, 39, 100])
def test_rows_are_updated_once_for_each_time_they_are_named(dtype: DType, reduction: str, width: int) -> None:
    kernel, x, i, y = updating_rows(dtype, width, reduction, vector=width > 3)
    updates = (numbers(9 * width) % 3 + 1).astype(dtype.numpy)
    check(kernel, {x: updates, i: np.array([0, 3, 3, -1, 1, 1, 0, -4, 3]), y: numbers(4 * width, dtype)})


def test_rows_of_any_width_are_updated_as_vectors() -> None:
    kernel, x, i, y = updating_rows(dt.F32, dims.symbol("w"), "add", vector=True)
    for width in (1, 5, 16, 40):
        memory = {x: numbers(9 * width), i: np.arange(9) % 3, y: numbers(4 * width)}
        check(kernel, memory, {"w": width})


@pytest.mark.parametrize("bad", [4, -5])
def test_a_row_outside_ends_the_call(bad: int) -> None:
    kernel, x, i, y = updating_rows(dt.F32, 20, "add", vector=True)
    places = np.zeros(9, np.int64)
    places[8] = bad
    with pytest.raises(Stopped) as stopped:
        run(kernel, {x: numbers(180), i: places, y: numbers(80)})
    assert stopped.value.args == (FAIL_INDEX, bad, 4)


def test_updates_whose_row_each_element_names_come_one_after_the_other() -> None:
    x, y = buffers()
    i, row, column = Buffer("i", dt.I64, "in"), Axis("k", 9), Axis("c", 20)
    at = Affine(0, ((row, 20), (column, 1)))
    store = Store(y, along(column), (), Load(x, at, dt.F32), (Pick(Load(i, at, dt.I64), 20, 4),), "add")
    kernel = schedule(Kernel("k", (row, column), (store,), (), serial=True), targets.detect())
    assert kernel.vector is None
    check(kernel, {x: numbers(180), i: np.arange(180) % 8 - 4, y: numbers(80)})
