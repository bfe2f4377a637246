"""Each question about sharing a kernel has its answer, and a reason where it is no."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.fuse import legal
from sardonyx.ir.value import Value, const, make, many, placeholder

N = dims.symbol("N")


def x(*shape: Any, dtype: dt.DType = dt.F32) -> Value:
    return placeholder("x", dtype, shape)


def topk(v: Value) -> Value:
    attrs = {"k": 1, "axis": 0, "largest": True}
    return many("topk", (v,), attrs, [(v.dtype, (1,)), (dt.I64, (1,))])[0].args[0]


def test_what_runs_in_python() -> None:
    native = frozenset({"topk", "lookup"})
    assert not legal.on_host(topk(x(4)), native)
    assert legal.on_host(topk(x(4)), frozenset())
    assert legal.on_host(topk(x(4, dtype=dt.STRING)), native), "texts have no native type"
    assert not legal.on_host(x(4), native)
    keys, found = const(np.array([1, 2])), const(np.array([5, 6]))
    table = make("lookup", (x(4, dtype=dt.I64), keys, found, const(np.array(0))), {}, dt.I64, (4,))
    assert not legal.on_host(table, native)
    open_ = make(
        "lookup", (x(4, dtype=dt.I64), x(2, dtype=dt.I64), found, const(np.array(0))), {}, dt.I64, (4,)
    )
    assert legal.on_host(open_, native), "its kernel wants the keys when it is compiled"


def test_how_kernels_read() -> None:
    product = x(2, 3).dot(x(3, 4))
    assert legal.reads_rows(product, 0)
    assert not legal.reads_rows(product, 1)
    assert legal.reads_dense(topk(x(4)), 0)
    assert not legal.reads_dense(x(4).exp(), 0)
    assert legal.aligned_map(x(2, 3) + 1, x(2, 3))
    assert not legal.aligned_map(x(6).reshape((2, 3)), x(6))


@pytest.mark.parametrize(
    ("source", "places", "rows"),
    [
        (x(2, 60, 16), x(2, 9, 1, dtype=dt.I32), True),
        (x(2, 60, 16), x(2, 3, 1, dtype=dt.I32), False),
        (x(2, 60, 7), x(2, 9, 1, dtype=dt.I32), False),
        (x(2, 60, 16), x(2, 9, 2, dtype=dt.I32), False),
        (x(2, N, 16), x(2, 3, 1, dtype=dt.I32), True),
    ],
)
def test_rows_that_data_picks_are_laid_side_by_side_if_many_are_read(
    source: Value, places: Value, rows: bool
) -> None:
    left = source.shape[1 + places.shape[-1] :] if isinstance(places.shape[-1], int) else ()
    picked = make("gather_nd", (source, places), {"batch_dims": 1}, source.dtype, (*places.shape[:-1], *left))
    assert legal.reads_rows(picked, 0) == rows
    assert not legal.reads_rows(picked, 1)


def test_what_is_picked_is_stored_before_it_is_turned() -> None:
    def turned(row: int, *perm: int) -> str | None:
        picked = make("gather_nd", (x(60, row), x(90, 1, dtype=dt.I32)), {"batch_dims": 0}, dt.F32, (90, row))
        value = picked * x(90, 1)
        return legal.why_not_turned(value, value.transpose(*perm))

    assert "turns the axis" in str(turned(16, 1, 0))
    assert turned(16, 0, 1) is None
    assert turned(4, 1, 0) is None


@pytest.mark.parametrize(
    ("value", "fails"),
    [
        (x(4) / 2, False),
        (x(4, dtype=dt.I32) / x(4, dtype=dt.I32), True),
        (x(4).gather(x(2, dtype=dt.I64), 0), True),
        (x(4).exp(), False),
    ],
)
def test_what_may_meet_bad_data(value: Value, fails: bool) -> None:
    assert legal.can_fail(value) == fails


def test_what_ends_a_contraction() -> None:
    product = x(N, 3).dot(x(3, 4))
    assert legal.may_anchor(product, product.exp(), aligned=True) is None
    assert "not elementwise" in str(legal.may_anchor(product, product.sum(1), aligned=True))
    assert "view" in str(legal.may_anchor(product, product.exp(), aligned=False))
    assert "shape" in str(
        legal.may_anchor(product, product.reshape((1, N, 4)).broadcast((2, N, 4)) + 1, aligned=True)
    )


def test_what_a_reduction_lives_in() -> None:
    v = x(N, 8)
    total = v.sum(1)
    assert legal.why_not_reduce(total, v - total, aligned=True) is None
    assert legal.why_not_reduce(total, total.exp(), aligned=True) is None
    assert "not elementwise" in str(legal.why_not_reduce(total, total.dot(x(1, 3)), aligned=True))
    assert "view" in str(legal.why_not_reduce(total, total.exp(), aligned=False))
    assert "another size" in str(legal.why_not_reduce(total, total + x(1, 5), aligned=True))
    assert "other axes" in str(legal.why_not_reduce(total, total.sum(0), aligned=True))
    whole = x(1, 8).sum(1)
    assert "other axes" in str(legal.why_not_reduce(whole, whole + x(3, 8), aligned=True))


def test_a_reduction_seen_without_its_axes() -> None:
    total = x(N, 8, 4).sum(1)
    seen = total.reshape((N, 4))
    assert legal.reduced_axes(total) == (1,)
    assert legal.drops_reduced(seen, total)
    assert not legal.drops_reduced(total.reshape((N * 4,)), total)
    assert not legal.drops_reduced(x(N, 1, 4).reshape((N, 4)), x(N, 1, 4))
    assert legal.why_not_dropped(total, seen.exp()) is None
    assert "not elementwise" in str(legal.why_not_dropped(total, seen.sum(0)))
    wide = seen.reshape((1, N, 4)).broadcast((2, N, 4)) + 1
    assert "other axes" in str(legal.why_not_dropped(total, wide))


@pytest.mark.parametrize(
    ("perm", "axis", "reason"),
    [
        ((0, 2, 1), 1, "its reader turns the axis along which it is gathered"),
        ((0, 2, 1), 0, None),
        ((1, 0, 2), 2, None),
    ],
)
@pytest.mark.parametrize("sums", [1, 40])
def test_what_is_gathered_along_an_axis_is_turned_from_memory(
    perm: tuple[int, ...], axis: int, reason: str | None, sums: int
) -> None:
    """Expressions may read one thing again and again."""
    value = x(4, 6, 8).gather(x(12, dtype=dt.I64), axis) * 2.0
    for _ in range(sums):
        value = value + value
    assert legal.why_not_turned(value, value.transpose(*perm).reshape((value.size,))) == reason
    assert legal.why_not_turned(value, value.transpose(*perm).exp()) is None
