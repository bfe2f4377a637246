"""Costs put the choices of loops into the right order; they are not measurements."""

from __future__ import annotations

import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.loops import cost
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Load,
    Pick,
    Reduce,
    Reduced,
    Store,
    along,
)
from sardonyx.loops.schedule import schedule
from sardonyx.targets.x86_64 import isa

X, Y = (Buffer(name, dt.F32, "in") for name in "xy")
ROW, COLUMN = Axis("row", 64), Axis("column", 64)


def load(at: Affine, *picks: Expr, dtype: DType = dt.F32) -> Load:
    return Load(X, at, dtype, tuple(Pick(p, 1, 9) for p in picks))


def copy(source: Affine, to: Affine, *outer: Axis) -> Kernel:
    return Kernel("copy", outer, (Store(Y, to, (), load(source)),), ())


def test_a_part_that_comes_twice_is_evaluated_once() -> None:
    x = load(along(ROW))
    exp = Apply("exp", (x,), dt.F32)
    both = Apply("add", (exp, exp), dt.F32)
    assert cost.expr_cost([both]) == 1 + cost.op_cost(exp) + cost.op_cost(both)
    assert cost.expr_cost([both], [COLUMN]) == 0, "nothing changes along the columns"
    assert cost.expr_cost([load(along(ROW), x)]) == 1 + 6, "a checked position costs more"
    assert cost.body_cost([Store(Y, along(ROW), (), x)]) == 2


def test_division_of_integers_is_dear() -> None:
    assert cost.op_cost(Apply("div", (), dt.I32)) > 3 * cost.op_cost(Apply("div", (), dt.F32))


def test_unknown_extents_are_guessed_and_empty_ones_are_no_zero() -> None:
    assert cost.extent_of(Axis("n", dims.symbol("n"))) == 64
    assert cost.extent_of(Axis("n", 0)) == 1
    assert cost.points_of([Axis("a", 3), Axis("b", 5)]) == 15
    assert cost.points_of([]) == 1


def test_lanes_along_memory_beat_lanes_across_and_none() -> None:
    at = Affine(0, ((ROW, 64), (COLUMN, 1)))
    kernel = copy(at, at, ROW, COLUMN)
    along_memory, across, scalar = (cost.nest_cost(kernel, v, None, 16) for v in (COLUMN, ROW, None))
    assert along_memory < scalar / 8
    assert along_memory < across / 8


def test_a_transpose_is_cheaper_than_gathers() -> None:
    kernel = copy(Affine(0, ((ROW, 1), (COLUMN, 64))), Affine(0, ((ROW, 64), (COLUMN, 1))), ROW, COLUMN)
    squares, gathered = cost.nest_cost(kernel, COLUMN, ROW, 16), cost.nest_cost(kernel, COLUMN, None, 16)
    assert squares < gathered / 4


@pytest.mark.parametrize("stride", [2, 3, 4, -1])
def test_small_steps_are_cheaper_to_read_than_to_write(stride: int) -> None:
    narrow, plain = Affine(0, ((ROW, stride),)), along(ROW)
    reads, writes = copy(narrow, plain, ROW), copy(plain, narrow, ROW)
    assert cost.nest_cost(reads, ROW, None, 16) < cost.nest_cost(writes, ROW, None, 16)


def test_a_reduction_along_lanes_pays_for_its_end() -> None:
    at = Affine(0, ((ROW, 8), (COLUMN, 1)))
    short = Axis("short", 8)
    at = Affine(0, ((ROW, 8), (short, 1)))
    sums = Reduce(Reduced("r", dt.F32, frozenset([ROW])), "sum", (short,), load(at))
    kernel = Kernel("sum", (ROW,), (sums,), ())
    plain = Kernel("copy", (ROW, short), (Store(Y, at, (), load(at)),), ())
    assert cost.nest_cost(kernel, short, None, 8) > cost.nest_cost(plain, short, None, 8) + 64 * 8


def test_a_first_axis_of_unknown_size_may_be_short() -> None:
    batch, rest = Axis("batch", dims.symbol("n")), Axis("rest", 64)
    at = Affine(0, ((batch, 1), (rest, dims.symbol("n"))))
    exp = Store(Y, at, (), Apply("exp", (load(at),), dt.F32))
    kernel = Kernel("k", (batch, rest), (exp,), ())
    inner = Kernel("k", (rest, batch), (exp,), ())
    assert cost.nest_cost(kernel, batch, None, 64) > cost.nest_cost(inner, batch, None, 64)


def test_short_rows_are_known_to_be_short() -> None:
    assert cost.is_short(Axis("n", cost.SHORT))
    assert not cost.is_short(Axis("n", cost.SHORT + 1))
    assert not cost.is_short(Axis("n", dims.symbol("n")))


def test_lanes_that_pick_within_one_row_cost_less_than_a_gather() -> None:
    row = (Pick(load(along(COLUMN)), 1, 9),)
    near = Load(X, along(ROW), dt.F32, row)
    assert cost.may_be_near(near, COLUMN)
    assert not cost.may_be_near(near, ROW), "every lane has a row of its own"
    assert not cost.may_be_near(near, None)
    assert not cost.may_be_near(Load(X, along(ROW), dt.F64, row), COLUMN)
    assert not cost.may_be_near(Load(X, along(ROW), dt.F32, (Pick(row[0].index, 2, 9),)), COLUMN)
    far = Load(X, along(ROW), dt.F64, row)
    kernels = [Kernel("k", (ROW, COLUMN), (Store(Y, along(COLUMN), (), e),), ()) for e in (near, far)]
    costs = [cost.nest_cost(k, COLUMN, None, 16) for k in kernels]
    assert costs[0] < costs[1]


def blocked(pixels: int, *, prim: str = "max") -> Kernel:
    """A formula of blocks of 16 channels, stored channel by channel."""
    block, pixel, channel = Axis("block", 7), Axis("pixel", pixels), Axis("channel", 16)
    source = along(block).scale(16 * pixels) + along(pixel).scale(16) + along(channel)
    to = along(block).scale(16 * pixels) + along(channel).scale(pixels) + along(pixel)
    biased = Apply("add", (load(source), load(along(block).scale(16) + along(channel))), dt.F32)
    store = Store(Y, to, (), Apply(prim, (biased,) if prim == "tanh" else (biased, biased), dt.F32))
    return Kernel("blocked", (block, pixel, channel), (store,), ())


@pytest.mark.parametrize("pixels", range(9, 16))
def test_lanes_fill_vectors_where_rows_are_short(pixels: int) -> None:
    made = schedule(blocked(pixels), isa.V4)
    assert made.vector is not None
    assert made.cross is not None
    assert (made.vector.extent, made.cross.extent) == (16, pixels)


def test_rows_of_many_operands_are_not_turned() -> None:
    row, column = Axis("row", 840), Axis("column", 5)
    at = along(row).scale(5) + along(column)

    def crossed(operands: int) -> Axis | None:
        loads = [Load(Buffer(f"x{n}", dt.F32, "in"), at, dt.F32) for n in range(operands)]
        total: Expr = loads[0]
        for other in loads[1:]:
            total = Apply("max", (total, other), dt.F32)
        store = Store(Y, along(row).scale(7) + along(column), (), total)
        return schedule(Kernel("rows", (row, column), (store,), ()), isa.V4).cross

    assert crossed(12) is None


@pytest.mark.parametrize(("pixels", "prim", "is_written_out"), [(10816, "max", True), (10816, "tanh", False)])
def test_long_formulas_are_not_written_sixteen_times(pixels: int, prim: str, is_written_out: bool) -> None:
    (statement,) = schedule(blocked(pixels, prim=prim), isa.V4).body
    assert bool(statement.axes) == is_written_out
    assert cost.is_long((statement,)) != is_written_out
