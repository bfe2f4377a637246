"""Groups that only move elements become calls of shared functions, of the right elements, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, concat, const, placeholder
from sardonyx.kernels.arguments import Move, MoveAxis, Moves
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.families import NATIVE, native_calls
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.moves.call import move_call
from sardonyx.kernels.moves.driver import MOST_AXES
from sardonyx.loops.nest import Affine, Axis, Buffer, Kernel, Load, Store
from tests.runnable import runnable_targets
from tests.unit.kernels.compiled import Make, graph_of, native

Array = npt.NDArray[Any]
GOAL = Goal(targets.detect())
TYPES = [d for d in dt.ALL if d.is_native]


def calls(graph: Graph) -> list[NativeCall]:
    """All calls of a graph."""
    fusion, emissions = partition(graph, NATIVE), Emissions(GOAL.target)
    return [call for g in fusion.groups for call, _ in native_calls(g, fusion.places, GOAL, emissions)]


def random_bits(dtype: DType, shape: Sequence[int], seed: int = 0) -> Array:
    """Any bits that an element may have: NaN of every kind, infinities, denormals."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 2 if dtype.kind == "b" else 256, (*shape, dtype.size_bytes), np.uint8)
    return raw.view(dtype.numpy)[..., 0]


def same_bits(made: Array, expected: Array) -> None:
    assert (made.shape, made.dtype) == (expected.shape, expected.dtype)
    assert made.tobytes() == expected.tobytes()


def transposed(x: Value) -> list[Value]:
    return [x.transpose(2, 0, 1), x.transpose(1, 2, 0), x.transpose(2, 1, 0)]


def sliced(x: Value) -> list[Value]:
    return [
        x.slice((1, 0, 2), (3, 7, 5), (1, 1, 3)),
        x.slice((4, 6, 17), (5, 7, 18), (-1, -1, -1)),
        x.slice((0, 1, 0), (5, 3, 9), (1, 2, 2)).transpose(1, 0, 2),
    ]


def repeated(x: Value) -> list[Value]:
    wide = x.reshape((5, 7, 18, 1)).broadcast((5, 7, 18, 3)).reshape((5, 7, 54))
    return [wide, x.reshape((5, 1, 7, 18)).broadcast((5, 2, 7, 18)), x.transpose(1, 0, 2).reshape((7, 90))]


def joined(x: Value) -> list[Value]:
    return [concat([x, x.slice((0, 0, 0), (5, 7, 2))], 2), concat([x.transpose(0, 2, 1)] * 2, 0)]


def expected_of(name: str, x: Array) -> list[Array]:
    if name == "transposed":
        return [x.transpose(2, 0, 1), x.transpose(1, 2, 0), x.transpose(2, 1, 0)]
    if name == "sliced":
        return [x[1:4, :, 2:15:3], x[::-1, ::-1, ::-1], x[:, 1:6:2, ::2].transpose(1, 0, 2)]
    if name == "repeated":
        wide = np.repeat(x, 3, 2), np.repeat(x[:, None], 2, 1)
        return [*wide, x.transpose(1, 0, 2).reshape(7, 90)]
    return [np.concatenate([x, x[:, :, :2]], 2), np.concatenate([x.transpose(0, 2, 1)] * 2, 0)]


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("make", [transposed, sliced, repeated, joined])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_elements_of_every_type_keep_their_bits(target: Any, make: Make, dtype: DType) -> None:
    x = random_bits(dtype, (5, 7, 18))
    graph = graph_of(make, [x])
    assert {call.kind for call in calls(graph)} == {"move"}
    made = native(graph, target, [x])
    for one, other in zip(made, expected_of(make.__name__, x), strict=True):
        same_bits(one, np.ascontiguousarray(other))


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_what_a_pad_adds_is_moved_too(target: Any, dtype: DType) -> None:
    x = random_bits(dtype, (2, 3, 5, 4))
    fill = random_bits(dtype, (), 1) if dtype.kind != "f" else np.array(-1.25, dtype.numpy)

    def padded(value: Value) -> list[Value]:
        return [value.pad((0, 1, 2, 0), (0, 0, 3, 33), const(fill))]

    graph = graph_of(padded, [x])
    assert {call.kind for call in calls(graph)} == {"move"}
    expected = np.full((2, 4, 10, 37), fill)
    expected[:, 1:, 2:7, :4] = x
    same_bits(native(graph, target, [x])[0], expected)


@pytest.mark.parametrize("size", [1, 2, 17, 64])
def test_sizes_may_be_unknown(size: int) -> None:
    n = dims.symbol("n", 1)
    x = np.random.default_rng(0).standard_normal((size, 3, 2 * size)).astype(np.float32)

    def moved(value: Value) -> list[Value]:
        return [value.transpose(2, 1, 0), value.pad((0, 0, 1), (1, 0, 0)), value.slice((0, 0, n), (n, 3, n))]

    graph = graph_of(moved, [x], sizes=[(n, 3, 2 * n)])
    assert {call.kind for call in calls(graph)} == {"move"}
    made = native(graph, GOAL.target, [x])
    same_bits(made[0], np.ascontiguousarray(x.transpose(2, 1, 0)))
    same_bits(made[1], np.pad(x, ((0, 1), (0, 0), (1, 0))))
    same_bits(made[2], np.ascontiguousarray(x[:, :, size:]))


def nest(axes: Sequence[tuple[int, int, int]], dtype: DType = dt.F32, source: DType = dt.F32) -> Kernel:
    """A copy along axes of (extent, step where it is read, step where it is written)."""
    outer = [Axis(f"i{n}", extent) for n, (extent, _, _) in enumerate(axes)]
    read, written = (
        Affine(0, tuple((axis, row[n]) for axis, row in zip(outer, axes, strict=True) if row[n]))
        for n in (1, 2)
    )
    load = Load(Buffer("x", source, "in", "x"), read, source)
    return Kernel("k", tuple(outer), (Store(Buffer("y", dtype, "out", "y"), written, (), load),), ())


def axes_of(kernel: Kernel) -> list[tuple[Any, ...]]:
    """The axes of a kernel's only move; steps in elements of four bytes."""
    found = move_call(kernel, GOAL.target)
    assert found is not None
    words = found[0].words[Moves.FIRST :]
    rows = words[Move.AXES :]
    assert found[0].words[Moves.COUNT] == 1
    assert words[Move.RANK] == len(rows) // MoveAxis.WORDS
    steps = [n // 4 for n in rows if isinstance(n, int)]
    return [(rows[n], steps[n + 1], steps[n + 2]) for n in range(0, len(rows), MoveAxis.WORDS)]


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("beside", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("free", [False, True])
def test_elements_that_stay_side_by_side_keep_their_bits(
    target: Any, dtype: DType, beside: int, free: bool
) -> None:
    x = random_bits(dtype, (5, 7, 3, beside))
    n = dims.symbol("n", 1)

    def moved(v: Value) -> list[Value]:
        a, b, c, last = v.shape
        cut = [v.slice((0, 0, 0, at), (a, b, c, last - 1)) for at in (0, 1)]
        return [
            v.transpose(0, 2, 1, 3),
            v.transpose(2, 1, 0, 3),
            *(part.transpose(1, 0, 2, 3) for part in cut),
        ]

    graph = graph_of(moved, [x], sizes=[(5, n, 3, beside)] if free else ())
    assert {call.kind for call in calls(graph)} == {"move"}
    whole, other, *cut = native(graph, target, [x])
    same_bits(whole, np.ascontiguousarray(x.transpose(0, 2, 1, 3)))
    same_bits(other, np.ascontiguousarray(x.transpose(2, 1, 0, 3)))
    for at, part in enumerate(cut):
        same_bits(part, np.ascontiguousarray(x[..., at : beside - 1 + at].transpose(1, 0, 2, 3)))


def test_elements_that_stay_side_by_side_are_moved_as_one() -> None:
    def moved(*axes: tuple[int, int, int], dtype: DType = dt.F32) -> str:
        found = move_call(nest(axes, dtype, dtype), GOAL.target)
        assert found is not None
        return found[0].symbol

    assert moved((6, 2, 80), (40, 12, 2), (2, 1, 1)) == "sdx_move_8"
    assert axes_of(nest([(6, 2, 80), (40, 12, 2), (2, 1, 1)])) == [(6, 2, 80), (40, 12, 2)]
    assert moved((6, 2, 80), (40, 12, 2), (2, 1, 1), dtype=dt.U8) == "sdx_move_2"
    assert moved((6, 8, 320), (40, 48, 8), (8, 1, 1), dtype=dt.U8) == "sdx_move_8"
    assert moved((6, 3, 80), (40, 18, 2), (2, 1, 1)) == "sdx_move_4", "they begin at odd places"
    assert moved((6, 4, 160), (40, 24, 4), (4, 1, 1)) == "sdx_move_4", "nothing moves 16 bytes"
    assert moved((6, 2, 80), (40, 12, 2), (2, 1, 1), dtype=dt.F64) == "sdx_move_8"


def test_axes_that_run_on_are_one_and_unit_axes_are_none() -> None:
    assert axes_of(nest([(4, 60, 60), (1, 7, 9), (5, 12, 12), (12, 1, 1)])) == [(1, 0, 0), (240, 1, 1)]
    assert axes_of(nest([(5, 12, 16), (12, 1, 1)])) == [(5, 12, 16), (12, 1, 1)]


def test_rows_are_read_where_columns_are_written() -> None:
    assert axes_of(nest([(6, 1, 40), (3, 240, 7), (40, 6, 1)]))[1:] == [(6, 1, 40), (40, 6, 1)]


def test_short_rows_that_are_few_are_not_the_inner_loop() -> None:
    short, long = [(90, 49, 196), (4, 4410, 49), (49, 1, 1)], [(90, 900, 3600), (4, 81000, 900), (900, 1, 1)]
    assert axes_of(nest(short))[1][0] == 90
    assert axes_of(nest(long))[1][0] == 4


@pytest.mark.parametrize("high", [10, 64, 100])
def test_rows_that_are_as_long_are_near_each_other(high: int) -> None:
    axes = [(high, 1024, 4096), (64, 16, 32), (2, 65536, 16), (16, 1, 1)]
    assert axes_of(nest(axes))[-2:] == [axes[1], axes[3]]
    assert axes_of(nest([(200, 1024, 4096), *axes[1:]]))[-2][0] == 200


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("width", [1, 7, 14, 33])
@pytest.mark.parametrize("factor", [2, 3, 5, 16, 17])
def test_pictures_grow_by_whole_numbers(target: Any, dtype: DType, width: int, factor: int) -> None:
    x = random_bits(dtype, (3, 5, width))

    def grown(value: Value) -> list[Value]:
        wide = value.reshape((3, 5, 1, width, 1)).broadcast((3, 5, 2, width, factor))
        return [wide.reshape((3, 10, factor * width))]

    made = native(graph_of(grown, [x]), target, [x])
    same_bits(made[0], x.repeat(2, 1).repeat(factor, 2))


def test_lines_of_elements_that_are_repeated_side_by_side_are_held_in_vectors() -> None:
    lines = [(60, 14, 56), (2, 0, 28), (14, 1, 2), (2, 0, 1)]
    assert move_call(nest(lines), GOAL.target) is None
    assert move_call(nest([(60, 7, 28), (2, 0, 14), (7, 1, 2), (2, 0, 1)]), GOAL.target) is None
    assert move_call(nest([(60, 7, 119), (7, 1, 17), (17, 0, 1)]), GOAL.target) is not None, "rows are long"
    assert axes_of(nest(lines[2:])) == lines[2:], "one matrix is moved"
    assert move_call(nest(lines, dt.F16, dt.F16), GOAL.target) is not None, "bits would change"


def test_what_computes_or_picks_is_no_move() -> None:
    x = placeholder("x", dt.F32, (4, 6))
    at = placeholder("at", dt.I64, (2,))
    for value in (x.exp(), x.cast(dt.F64), x.gather(at, 0)):
        inputs = (x, at) if value.prim == "gather" else (x,)
        assert {call.kind for call in calls(Graph(inputs, (("y", value),)))} == {"loops"}
    assert move_call(nest([(3, 1, 1)], dt.I64), GOAL.target) is None, "elements of two types are converted"
    many = [(2, 3**n, 3 ** (MOST_AXES - n)) for n in range(MOST_AXES + 1)]
    assert move_call(nest(many), GOAL.target) is None
    assert move_call(nest(many[1:]), GOAL.target) is not None
