"""What several passes over a row need is computed once; the numbers stay the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dtype import DType
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Reduce,
    Reduced,
    Store,
    joined,
    walk,
)
from sardonyx.loops.run import run
from sardonyx.loops.stage import stage, with_reciprocals
from sardonyx.loops.verify import verify

ROW, COLUMN = Axis("row", 3), Axis("column", 20)
AT = Affine(0, ((ROW, 20), (COLUMN, 1)))


def softmax(dtype: DType = dt.F64, to: DType | None = None, subtracted: bool = True) -> Kernel:
    """exp(x - max) / sum(exp(x - max)) as three passes over a row."""
    x = Load(Buffer("x", dtype, "in"), AT, dtype)
    most, total = (Reduced(name, dtype, frozenset([ROW])) for name in ("most", "total"))
    exp = Apply("exp", (Apply("sub", (x, most), dtype),), dtype)
    y: Expr = Apply("div", (exp, total), dtype)
    if to:
        y = Apply("cast", (y,), to)
    body = (
        Reduce(most, "rmax", (COLUMN,), x),
        Reduce(total, "sum", (COLUMN,), exp if subtracted else x),
        Store(Buffer("y", to or dtype, "out", "y"), AT, (COLUMN,), y),
    )
    return Kernel("softmax", (ROW,), body, (), vector=COLUMN)


def count(kernel: Kernel, prim: str) -> int:
    """How often a row evaluates a primitive for each element."""
    evaluated = (e for group in joined(kernel.body) for e in walk(s.expr for s in group))
    return sum(isinstance(e, Apply) and e.prim == prim and COLUMN in e.axes for e in evaluated)


def results(kernel: Kernel) -> Any:
    verify(kernel)
    x, y = np.random.default_rng(1).standard_normal(60), np.zeros(60)
    run(kernel, {b: x if b.role == "in" else y for b in kernel.buffers() if b.role != "scratch"}, {})
    return y


def test_a_dear_value_is_stored_in_the_row_of_the_output() -> None:
    before, after = softmax(), stage(softmax(), 8)
    assert (count(before, "exp"), count(after, "exp")) == (2, 1)
    assert {b.name for b in after.buffers()} == {"x", "y"}
    assert np.array_equal(results(after), results(before))


def test_a_cheap_value_is_computed_again() -> None:
    kernel = softmax()
    reduce_max, total, store = kernel.body
    assert isinstance(total, Reduce)
    assert isinstance(store, Store)
    x = reduce_max.expr
    twice = Apply("add", (x, x), dt.F64)
    cheap = replace(kernel, body=(replace(total, expr=twice), replace(store, expr=twice)))
    assert stage(cheap, 8) is cheap


def test_another_type_or_other_lanes_use_scratch_of_whole_vectors() -> None:
    (scratch,) = (b for b in stage(softmax(dt.F64, dt.F32), 8).buffers() if b.role == "scratch")
    assert (scratch.dtype, scratch.size) == (dt.F64, 20)
    (scratch,) = (b for b in stage(replace(softmax(), vector=ROW), 8).buffers() if b.role == "scratch")
    assert scratch.size == 20 * 8, "a row for each lane"


@pytest.mark.parametrize("dtype", [dt.F16, dt.BF16])
def test_what_would_be_rounded_is_not_stored(dtype: DType) -> None:
    kernel = softmax(dtype)
    assert stage(kernel, 8) is kernel


def test_division_by_one_number_for_a_row_becomes_a_product() -> None:
    after = with_reciprocals(softmax())
    assert count(after, "div") == 0
    assert count(after, "mul") == 1
    np.testing.assert_allclose(results(after), results(softmax()), 1e-15)


def test_a_divisor_that_may_be_tiny_or_huge_stays_one() -> None:
    kernel = softmax(subtracted=False)
    assert with_reciprocals(kernel) is kernel, "a sum of anything"
    whole = softmax(dt.I32)
    assert with_reciprocals(whole) is whole, "integers"


@pytest.mark.parametrize(("bound", "turned"), [(1e-5, True), (1e-30, False)])
def test_a_root_with_a_bound_below_is_moderate(bound: float, turned: bool) -> None:
    kernel = softmax()
    store = kernel.body[2]
    total = Reduced("total", dt.F64, frozenset([ROW]))
    least = Apply("max", (Apply("sqrt", (total,), dt.F64), Literal(bound, dt.F64)), dt.F64)
    kernel = replace(
        kernel, body=(*kernel.body[:2], replace(store, expr=Apply("div", (store.expr, least), dt.F64)))
    )
    assert (count(with_reciprocals(kernel), "mul") == 2) == turned


def rows(expr: Expr, *body: Reduce) -> Kernel:
    """A kernel that overwrites rows of a tile with an expression."""
    at = Affine(0, ((ROW, 1), (COLUMN, 1)))
    return Kernel("rows", (ROW,), (*body, Store(TILE, at, (COLUMN,), expr)), (), "rows", COLUMN)


TILE = Buffer("tile", dt.F32, "tile")
SCORE = Load(TILE, Affine(0, ((ROW, 1), (COLUMN, 1))), dt.F32)


def test_rows_of_a_product_keep_their_exponentials_in_place() -> None:
    exp = Apply("exp", (SCORE,), dt.F32)
    total = Reduced("total", dt.F32, frozenset([ROW]))
    kernel = rows(Apply("mul", (exp, total), dt.F32), Reduce(total, "sum", (COLUMN,), exp))
    staged = stage(kernel, 16)
    verify(staged)
    kept = staged.body[1]
    assert isinstance(kept, Store)
    assert (kept.buffer, kept.expr) == (TILE, exp)
    again = rows(Apply("add", (Apply("mul", (exp, total), dt.F32), SCORE), dt.F32), *kernel.body[:1])
    assert stage(again, 16) is again, "the scores themselves are needed once more"


def test_the_number_that_scales_rows_of_scores_is_inverted_once() -> None:
    half = Apply("div", (SCORE, Literal(3.0, dt.F32)), dt.F32)
    (store,) = with_reciprocals(rows(half)).body
    assert isinstance(store.expr, Apply)
    assert (store.expr.prim, store.expr.args[0]) == ("mul", SCORE)
    plain = Kernel("map", (ROW, COLUMN), (Store(Buffer("y", dt.F32, "out"), AT, (), half),), ())
    assert with_reciprocals(plain) is plain, "a division that a model asks for"
