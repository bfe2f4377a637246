"""Expressions mean what numpy says, wherever they are hoisted to; what can fail waits for a point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.emit.access import FAIL_DIV0
from sardonyx.emit.expr import can_fail
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Kernel,
    Literal,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Store,
    along,
)
from tests.unit.emit.alone import Stopped, check, run

ROW, COLUMN = Axis("row", 5), Axis("column", dims.symbol("n"))
AT = Affine(0, ((ROW, dims.symbol("n")), (COLUMN, 1)))
X, W, Y = Buffer("x", dt.I32, "in"), Buffer("w", dt.I32, "in"), Buffer("y", dt.I32, "out")


def kernel(value: Any, vector: Axis | None = COLUMN) -> Kernel:
    return Kernel("k", (ROW, COLUMN), (Store(Y, AT, (), value),), (), vector=vector)


def memory(n: int) -> dict[Buffer, Any]:
    x = np.arange(5 * n, dtype=np.int32) * 7 % 23 - 11
    return {X: x, W: np.array([3, 1, -2, 5, 4], np.int32), Y: np.zeros(5 * n, np.int32)}


@pytest.mark.parametrize("vector", [None, COLUMN])
@pytest.mark.parametrize("n", [1, 16, 37])
def test_what_is_the_same_for_a_row_meets_what_is_not(vector: Axis | None, n: int) -> None:
    x, w = Load(X, AT, dt.I32), Load(W, along(ROW), dt.I32)
    place = Position(Affine(7, ((ROW, 100), (COLUMN, 3))), dt.I32)
    row = Apply("mul", (w, Position(along(ROW), dt.I32)), dt.I32)
    value = Apply(
        "add", (Apply("mul", (x, row), dt.I32), Apply("sub", (place, Literal(2, dt.I32)), dt.I32)), dt.I32
    )
    check(kernel(value, vector), memory(n), {"n": n})


@pytest.mark.parametrize("vector", [None, COLUMN])
def test_division_by_zero_ends_the_call(vector: Axis | None) -> None:
    quotient = Apply("div", (Load(X, AT, dt.I32), Load(W, along(ROW), dt.I32)), dt.I32)
    check(kernel(quotient, vector), memory(20), {"n": 20})
    zero = memory(20)
    zero[W][3] = 0
    with pytest.raises(Stopped) as stopped:
        run(kernel(quotient, vector), zero, {"n": 20})
    assert stopped.value.args[0] == FAIL_DIV0


def test_a_loop_without_points_divides_by_nothing() -> None:
    zero = memory(0)
    zero[W][:] = 0
    quotient = Apply("div", (Load(W, along(ROW), dt.I32), Load(W, along(ROW), dt.I32)), dt.I32)
    inner = Axis("inner", dims.symbol("n"))
    total = Reduced("r", dt.I32, frozenset([ROW]))
    body = (Reduce(total, "sum", (inner,), quotient), Store(Y, along(ROW), (), total))
    sums = Kernel("k", (ROW,), body, ())
    got = run(sums, {W: zero[W], Y: np.ones(5, np.int32)}, {"n": 0})
    assert got[Y].tolist() == [0] * 5
    with pytest.raises(Stopped):
        run(sums, {W: zero[W], Y: np.ones(5, np.int32)}, {"n": 1})


@pytest.mark.parametrize("op", ["sum", "prod", "rmax", "rmin"])
@pytest.mark.parametrize("vector", ["inner", "outer", None])
@pytest.mark.parametrize("n", [0, 1, 20, 100])
def test_reductions_along_and_across_lanes(op: str, vector: str | None, n: int) -> None:
    inner = Axis("inner", dims.symbol("n"))
    at = Affine(0, ((ROW, dims.symbol("n")), (inner, 1)))
    total = Reduced("r", dt.I32, frozenset([ROW]))
    body = (Reduce(total, op, (inner,), Load(X, at, dt.I32)), Store(Y, along(ROW), (), total))
    lanes = {"inner": inner, "outer": ROW, None: None}[vector]
    x = np.random.default_rng(n).integers(-9, 9, 5 * n).astype(np.int32)
    check(Kernel("k", (ROW,), body, (), vector=lanes), {X: x, Y: np.zeros(5, np.int32)}, {"n": n})


def test_what_can_fail() -> None:
    x = Load(X, along(ROW), dt.I32)
    f = Load(Buffer("f", dt.F32, "in"), along(ROW), dt.F32)
    assert can_fail(Apply("div", (x, x), dt.I32))
    assert not can_fail(Apply("div", (f, f), dt.F32))
    assert can_fail(Load(X, Affine(), dt.I32, (Pick(x, 1, 3),)))
    assert not can_fail(Apply("add", (x, x), dt.I32))
