"""A kernel becomes a function whose text depends on its structure alone; threads share out its points."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any, cast

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.emit.nest import Emitted, Word, emit
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Kernel,
    Literal,
    Load,
    Position,
    Reduce,
    Reduced,
    Store,
    along,
)
from tests.unit.emit.alone import Native, check, run, words_of
from tests.unit.kernels.native import guarded
from tests.unit.objects import compiled_alone, loaded

TARGET = targets.detect()


def copy(rows: Dim, columns: Dim, pitch: Dim, names: str = "xy") -> tuple[Kernel, Buffer, Buffer]:
    x, y = Buffer(names[0], dt.F32, "in"), Buffer(names[1], dt.F32, "out")
    row, column = Axis("r", rows), Axis("c", columns)
    to, source = (Affine(0, ((row, step), (column, 1))) for step in (columns, pitch))
    body = (Store(y, to, (), Load(x, source, dt.F32)),)
    return Kernel("k", (row, column), body, (), vector=column), x, y


def test_sizes_are_words_and_not_text() -> None:
    n, m, p = (dims.symbol(name) for name in "nmp")
    one, other = emit(copy(n, m, p)[0], TARGET), emit(copy(p, n, m, "ab")[0], TARGET)
    assert (one.symbol, one.ir) == (other.symbol, other.ir)
    assert [w.dim for w in one.words if w.buffer is None] == [p, m, n]
    large, larger = emit(copy(1000, 2000, 3000)[0], TARGET), emit(copy(1001, 2001, 3001)[0], TARGET)
    assert large.ir == larger.ir or large.symbol != larger.symbol
    small = emit(copy(3, m, 8)[0], TARGET)
    assert small.ir == emit(copy(4, m, 9)[0], TARGET).ir, "outside of the lanes small ones too"
    assert small.ir != emit(copy(3, m, 1)[0], TARGET).ir, "but what adjoins is structure"
    assert isinstance(one, Emitted)
    assert all(isinstance(word, Word) for word in one.words)


def total(size: Dim, op: str = "sum") -> tuple[Kernel, Buffer, Buffer]:
    """y = all of x, reduced."""
    x, y, axis = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out"), Axis("a", size)
    result = Reduced("s", dt.F32, frozenset())
    body = (Reduce(result, op, (axis,), Load(x, along(axis), dt.F32)), Store(y, Affine(), (), result))
    return Kernel("k", (), body, (), vector=axis), x, y


@pytest.mark.parametrize("op", ["sum", "rmax"])
def test_reductions_of_whole_tensors_are_one_text(op: str) -> None:
    sizes = (0, 1, 15, 16, 24, 63, 64, 65, 1000)
    assert len({emit(total(size, op)[0], TARGET).ir for size in (*sizes, dims.symbol("n"))}) == 1
    for size in sizes:
        kernel, x, y = total(size, op)
        source = np.random.default_rng(size).integers(-9, 9, size).astype(np.float32)
        check(kernel, {x: source, y: np.zeros(1, np.float32)}, {})


def filled(rows: Dim, lines: int) -> tuple[Kernel, Buffer]:
    """Some lines of each row filled with a number."""
    y, row, line, column = Buffer("y", dt.F32, "out"), Axis("r", rows), Axis("l", lines), Axis("c", 16)
    to = Affine(0, ((row, 2048), (line, 16), (column, 1)))
    body = (Store(y, to, (line, column), Literal(2.0, dt.F32)),)
    return Kernel("k", (row,), body, (), vector=column), y


def test_stores_of_more_or_fewer_vectors_are_one_text() -> None:
    n = dims.symbol("n")
    assert emit(filled(n, 33)[0], TARGET).ir == emit(filled(n, 48)[0], TARGET).ir
    for lines in (1, 33, 48):
        kernel, y = filled(n, lines)
        check(kernel, {y: np.zeros(3 * 2048, np.float32)}, {"n": 3})


@pytest.mark.parametrize("sizes", [(512, 1024), (2048, 4096)], ids=["pairs", "too long for pairs"])
def test_how_long_rows_take_is_no_text(sizes: tuple[int, int]) -> None:
    n = dims.symbol("n")
    one, other = (emit(centred(n, columns)[0], TARGET) for columns in sizes)
    assert one.ir == other.ir
    told = [[w.dim for w in e.words if w.buffer is None] for e in (one, other)]
    assert len(told[0]) == len(told[1]) and told[0][-1] < told[1][-1], "what one row takes is a word"


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3000), (3, 70), (200, 5), (2, 1025), (0, 9)])
@pytest.mark.parametrize("open_", [False, True])
def test_threads_share_out_every_point_once(rows: int, columns: int, open_: bool) -> None:
    sizes = {"n": rows, "m": columns, "p": columns + 3}
    given: Any = [dims.symbol(s) for s in sizes] if open_ else list(sizes.values())
    kernel, x, y = copy(*given)
    source = np.arange(rows * (columns + 3), dtype=np.float32)
    check(kernel, {x: source, y: np.zeros(rows * columns, np.float32)}, sizes)


def centred(rows: Dim, columns: Dim) -> tuple[Kernel, Buffer, Buffer, Buffer]:
    """y = x - sum of its row, and z = that sum doubled."""
    x, y, z = (Buffer(name, dt.F32, "in" if name == "x" else "out") for name in "xyz")
    row, column = Axis("r", rows), Axis("c", columns)
    at = Affine(0, ((row, columns), (column, 1)))
    element, total = Load(x, at, dt.F32), Reduced("s", dt.F32, frozenset([row]))
    body = (
        Reduce(total, "sum", (column,), element),
        Store(y, at, (column,), Apply("sub", (element, total), dt.F32)),
        Store(z, Affine(0, ((row, 1),)), (), Apply("add", (total, total), dt.F32)),
    )
    return Kernel("k", (row,), body, (), vector=column), x, y, z


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 8, 9])
@pytest.mark.parametrize("columns", [1, 15, 16, 40, 130, 1023, 1025])
@pytest.mark.parametrize("open_", [False, True])
def test_rows_in_pairs_and_alone(rows: int, columns: int, open_: bool) -> None:
    sizes = {"n": rows, "m": columns}
    given: Any = [dims.symbol(s) for s in sizes] if open_ else [rows, columns]
    kernel, x, y, z = centred(*given)
    source = np.random.default_rng(columns).integers(-9, 9, rows * columns).astype(np.float32)
    check(kernel, {x: source, y: np.zeros_like(source), z: np.zeros(rows, np.float32)}, sizes)


def multiplied(
    batches: Sequence[Dim], rows: Dim, columns: Dim, dtype: dt.DType
) -> tuple[Kernel, list[Buffer]]:
    """y = the sums of products of the rows of each matrix and its vector."""
    m, v, y = (Buffer(name, dtype, "out" if name == "y" else "in") for name in "mvy")
    outer = [Axis(f"b{number}", size) for number, size in enumerate(batches)]
    row, column = Axis("r", rows), Axis("c", columns)

    def at(*axes: Axis) -> Affine:
        steps = accumulate((a.extent for a in axes[:0:-1]), operator.mul, initial=cast("Dim", 1))
        return Affine(0, tuple(zip(axes, [*steps][::-1], strict=True)))

    total = Reduced("s", dtype, frozenset([*outer, row]))
    factors = Load(m, at(*outer, row, column), dtype), Load(v, at(*outer, column), dtype)
    body = (
        Reduce(total, "sum", (column,), Apply("mul", factors, dtype)),
        Store(y, at(*outer, row), (), total),
    )
    return Kernel("k", (*outer, row), body, (), vector=column), [m, v, y]


@pytest.mark.parametrize("batches", [(1,), (5,), (0,), (2, 3), (3, 1, 2)])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 64])
@pytest.mark.parametrize("columns", [0, 1, 15, 48, 1025])
@pytest.mark.parametrize("open_", [False, True])
@pytest.mark.parametrize("dtype", [dt.F32, dt.F64])
def test_rows_of_batches_in_pairs_and_alone(
    batches: tuple[int, ...], rows: int, columns: int, open_: bool, dtype: dt.DType
) -> None:
    sizes = {f"n{number}": size for number, size in enumerate((*batches, rows, columns))}
    *before, n, k = [dims.symbol(s) for s in sizes] if open_ else sizes.values()
    kernel, (m, v, y) = multiplied(before, n, k, dtype)
    count, rng = prod(batches), np.random.default_rng(columns)
    matrices = rng.integers(-9, 9, count * rows * columns).astype(dtype.numpy)
    if len(matrices) > 3:
        matrices[3] = np.nan
    vectors = rng.integers(-9, 9, count * columns).astype(dtype.numpy)
    check(kernel, {m: matrices, v: vectors, y: np.zeros(count * rows, dtype.numpy)}, sizes)


def test_a_row_has_the_same_bits_whichever_thread_has_it() -> None:
    kernel, (m, v, y) = multiplied([5], 13, 70, dt.F32)
    rng, native = np.random.default_rng(0), Native(kernel)
    source, vector = (rng.standard_normal(5 * size).astype(np.float32) for size in (13 * 70, 70))
    memory = {m: source, v: vector, y: np.zeros(5 * 13, np.float32)}
    results = [native.run(memory, threads=threads)[y].tobytes() for threads in (1, 2, 3, 4, 7)]
    assert len({*results}) == 1


def test_rows_of_batches_are_written_in_pairs() -> None:
    n = dims.symbol("n")
    texts = [emit(multiplied(batches, n, 64, dt.F32)[0], TARGET).ir for batches in ([], [12], [n, 12])]
    assert len({text.count("@llvm.fma") for text in texts}) == 1


def test_statements_are_written_twice_for_pairs_and_once_for_rows_known_to_be_long() -> None:
    target = targets.detect()
    short, long = (len(emit(centred(dims.symbol("n"), size)[0], target).ir) for size in (1024, 2048))
    assert 1.2 * long < short < 2.2 * long


def test_a_row_has_the_same_bits_in_a_pair_and_alone() -> None:
    kernel, x, y, z = centred(dims.symbol("n"), 130)
    source = np.random.default_rng(0).standard_normal(5 * 130).astype(np.float32)
    results = []
    for rows in (4, 5):
        memory = {x: source[: rows * 130], y: np.zeros(rows * 130, np.float32), z: np.zeros(rows, np.float32)}
        results.append([run(kernel, memory, {"n": rows})[buffer] for buffer in (y, z)])
    alone = {x: source[-130:], y: np.zeros(130, np.float32), z: np.zeros(1, np.float32)}
    single = [run(kernel, alone, {"n": 1})[buffer] for buffer in (y, z)]
    for few, many, last in zip(*results, single, strict=True):
        assert many.tobytes() == few.tobytes() + last.tobytes()


@pytest.mark.parametrize("form", ["tile", "product"])
def test_an_epilogue_works_on_the_block_that_it_is_given(form: str) -> None:
    batch0, batch1, row, column = Axis("a", 3), Axis("b", 4), Axis("r", 9), Axis("c", 21)
    tile, y = Buffer("tile", dt.F32, "tile"), Buffer("y", dt.F32, "out")
    to = Affine(0, ((batch0, 4 * 9 * 21), (batch1, 9 * 21), (row, 21), (column, 1)))
    square = Apply("mul", (Load(tile, Affine(0, ((row, 21), (column, 1))), dt.F32),) * 2, dt.F32)
    kernel = Kernel(
        "k", (batch0, batch1, row, column), (Store(y, to, (), square),), (), form=form, vector=column
    )
    emitted = emit(kernel, TARGET)
    image = loaded([compiled_alone(emitted.ir, TARGET)], TARGET)
    block = guarded(np.random.default_rng(1).standard_normal((2, 24)).astype(np.float32)[:, :24])
    out = guarded(np.zeros((3, 4, 9, 21), np.float32))
    at = (2, 1, 5, 3)
    coords = np.array(at if form == "tile" else (2 * 4 + 1, 5, 3))
    words = words_of(emitted, {y: out.reshape(-1)}, {})
    function = ctypes.CFUNCTYPE(
        None, *[ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2
    )
    function(image.address(emitted.symbol))(
        block.ctypes.data, 24, words.ctypes.data, coords.ctypes.data, 2, 18
    )
    expected = np.zeros_like(out)
    expected[2, 1, 5:7, 3:21] = block[:, :18] ** 2
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("across", [False, True])
def test_what_all_rows_of_a_tile_have_in_common_is_computed_once(across: bool) -> None:
    sample, row, column = Axis("s", 2), Axis("r", 5), Axis("c", 21)
    tile, scale, y = Buffer("tile", dt.F32, "tile"), Buffer("scale", dt.F32, "in"), Buffer("y", dt.F32, "out")
    to = Affine(0, ((sample, 5 * 21), (row, 21), (column, 1)))
    factor = Load(scale, Affine(0, ((row if across else column, 1),)), dt.F32)
    factor = Apply("mul", (factor, factor), dt.F32)
    product = Apply("mul", (Load(tile, Affine(0, ((row, 21), (column, 1))), dt.F32), factor), dt.F32)
    kernel = Kernel("k", (sample, row, column), (Store(y, to, (), product),), (), form="tile", vector=column)
    emitted = emit(kernel, TARGET)
    image = loaded([compiled_alone(emitted.ir, TARGET)], TARGET)
    random = np.random.default_rng(1)
    block = guarded(random.standard_normal((5, 21)).astype(np.float32))
    factors = guarded(random.standard_normal(5 if across else 21).astype(np.float32))
    out = guarded(np.zeros((2, 5, 21), np.float32))
    words = words_of(emitted, {y: out.reshape(-1), scale: factors}, {})
    function = ctypes.CFUNCTYPE(
        None, *[ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2
    )
    coords = np.array((1, 0, 0))
    function(image.address(emitted.symbol))(
        block.ctypes.data, 21, words.ctypes.data, coords.ctypes.data, 5, 21
    )
    expected = np.zeros_like(out)
    expected[1] = block * ((factors * factors)[:, None] if across else factors * factors)
    assert np.array_equal(out, expected)
    loops = emitted.ir.count("phi i64")
    assert loops == (2 if across else 3), "rows within columns: whole vectors, and the rest"


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("columns", [32, 85])
def test_long_ends_of_two_rows_at_a_time_are_those_of_each_row(rows: int, columns: int) -> None:
    row, column = Axis("r", rows), Axis("c", columns)
    tile, y = Buffer("tile", dt.F32, "tile"), Buffer("y", dt.F32, "out")
    down, across = Buffer("down", dt.F32, "in"), Buffer("across", dt.F32, "in")
    to = Affine(0, ((row, columns), (column, 1)))
    x = Apply("mul", (Load(tile, to, dt.F32), Load(down, along(row), dt.F32)), dt.F32)
    for _ in range(3):
        x = Apply("tanh", (x,), dt.F32)
    shift = Apply("cast", (Position(to, dt.I64),), dt.F32)
    for term in (Load(across, along(column), dt.F32), Load(y, to, dt.F32), shift):
        x = Apply("add", (x, term), dt.F32)
    kernel = Kernel("k", (row, column), (Store(y, to, (), x),), (), form="tile", vector=column)
    emitted = emit(kernel, TARGET)
    assert f"<{4 * TARGET.lanes} x float> @llvm.copysign" in emitted.ir, "two vectors of two rows"
    image = loaded([compiled_alone(emitted.ir, TARGET)], TARGET)
    function = ctypes.CFUNCTYPE(
        None, *[ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2
    )
    random = np.random.default_rng(1)
    sizes = {tile: rows * columns, y: rows * columns, down: rows, across: columns}
    data = {b: guarded(random.standard_normal(n).astype(np.float32)) for b, n in sizes.items()}
    before = data[y].copy()
    words, coords = words_of(emitted, data, {}), np.zeros(2, np.int64)
    pointers = data[tile].ctypes.data, columns, words.ctypes.data, coords.ctypes.data
    function(image.address(emitted.symbol))(*pointers, rows, columns)
    whole = data[y].copy()
    data[y][:] = before
    for number in range(rows):
        for first in range(0, columns, 8):
            coords[:] = number, first
            at = data[tile][number * columns + first :]
            pointers = at.ctypes.data, columns, words.ctypes.data, coords.ctypes.data
            function(image.address(emitted.symbol))(*pointers, 1, min(8, columns - first))
    assert whole.tobytes() == data[y].tobytes()
    assert np.isfinite(whole).all()
