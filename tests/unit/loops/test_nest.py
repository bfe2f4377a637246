"""Loop nests as data: affine forms, walks over expressions, and which statements share their loops."""

from __future__ import annotations

import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Number,
    Pick,
    Position,
    Reduce,
    Reduced,
    Store,
    along,
    joined,
    operands,
    trip_count,
    walk,
)

ROW, COLUMN = Axis("i", 3), Axis("j", dims.symbol("n"))
X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")


def test_affine_forms_add_scale_and_shift() -> None:
    at = along(ROW).scale(4) + along(COLUMN).shift(2)
    assert (at.const, at.factor(ROW), at.factor(COLUMN)) == (2, 4, 1)
    assert at.axes == {ROW, COLUMN}
    gone = at + along(ROW).scale(-4)
    assert gone.axes == {COLUMN}, "terms that cancel are left out"
    assert at.scale(0) == Affine()
    assert at.scale(1) is at
    assert at.shift(0) is at
    assert at.factor(Axis("i", 3)) == 0, "an axis is itself, not its name"


def test_expressions_know_the_loops_they_change_with() -> None:
    x = Load(X, along(ROW), dt.F32)
    picked = Load(X, Affine(), dt.F32, (Pick(Position(along(COLUMN), dt.I64), 1, 9),))
    assert picked.axes == {COLUMN}
    assert Apply("add", (x, picked), dt.F32).axes == {ROW, COLUMN}


def test_a_factor_is_told_where_a_product_of_integers_is_computed_once() -> None:
    once, each = (Load(X, at, dt.I32) for at in (Affine(), along(ROW)))
    nine = Literal(9, dt.I32)
    assert [type(a) for a in operands("mul", (once, nine))] == [Load, Number]
    assert operands("mul", (each, nine)) == (each, nine), "lanes multiply by what is known faster"
    real = (Load(X, Affine(), dt.F32), Literal(9.0, dt.F32))
    assert operands("mul", real) == real


def test_zero_points_are_told() -> None:
    point, x = Load(X, along(ROW), dt.U8), Load(X, along(ROW), dt.F32)
    widened, rounded = Apply("cast", (point,), dt.I32), Apply("round", (x,), dt.F32)
    for prim, first, dtype in (("sub", widened, dt.I32), ("add", rounded, dt.F32)):
        for value in (137, 0, -5):
            _, told = operands(prim, (first, Literal(value, dtype)))
            assert isinstance(told, Number)
            assert (told.value, told.dtype) == (value, dtype)


@pytest.mark.parametrize(
    ("prim", "first", "value"),
    [
        ("add", Apply("cast", (Load(X, Affine(), dt.U8),), dt.I32), 137),
        ("sub", Apply("cast", (Load(X, Affine(), dt.I64),), dt.I32), 137),
        ("sub", Load(X, Affine(), dt.I32), 137),
        ("sub", Apply("round", (Load(X, Affine(), dt.F32),), dt.F32), 9.0),
        ("add", Apply("floor", (Load(X, Affine(), dt.F32),), dt.F32), 9.0),
        ("add", Apply("round", (Load(X, Affine(), dt.F32),), dt.F32), 1e-30),
        ("add", Apply("round", (Load(X, Affine(), dt.F32),), dt.F32), float("nan")),
    ],
)
def test_what_formulas_are_made_of_stands_in_the_text(prim: str, first: Expr, value: float) -> None:
    args = (first, Literal(value, first.dtype))
    assert operands(prim, args) == args


def test_numbers_are_the_same_word_if_bits_and_type_are() -> None:
    told = [Number(*number).told for number in ((0.0, dt.F32), (-0.0, dt.F32), (0, dt.I32), (0.0, dt.F64))]
    assert len({*told, Number(0.0, dt.F32).told}) == 4


def test_a_walk_meets_each_part_once_and_operands_first() -> None:
    x = Load(X, along(ROW), dt.F32)
    square = Apply("mul", (x, x), dt.F32)
    assert list(walk([square, x])) == [x, square]


def test_buffers_come_in_order_of_use() -> None:
    other = Buffer("z", dt.F32, "in")
    body = (
        Store(
            Y,
            along(ROW),
            (),
            Apply("add", (Load(X, along(ROW), dt.F32), Load(other, along(ROW), dt.F32)), dt.F32),
        ),
    )
    assert Kernel("k", (ROW,), body, ()).buffers() == [X, other, Y]


def test_statements_share_loops_unless_one_needs_the_other() -> None:
    x = Load(X, along(ROW), dt.F32)
    total = Reduced("r", dt.F32, frozenset())
    first = Reduce(total, "sum", (ROW,), x)
    second = Reduce(Reduced("s", dt.F32, frozenset()), "rmax", (ROW,), x)
    needs = Store(Y, along(ROW), (ROW,), Apply("sub", (x, total), dt.F32))
    reads = Store(X, along(ROW), (ROW,), Load(Y, along(ROW), dt.F32))
    elsewhere = Reduce(total, "sum", (COLUMN,), x)
    assert joined([first, second, needs]) == [[first, second], [needs]]
    assert joined([needs, reads]) == [[needs], [reads]]
    assert joined([first, elsewhere]) == [[first], [elsewhere]]


def test_points_of_axes() -> None:
    assert trip_count([ROW, COLUMN]) == 3 * dims.symbol("n")
    assert trip_count([]) == 1
