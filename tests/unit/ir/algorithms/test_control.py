"""Branches, loops and scans over graphs are what Python's own if and for are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.algorithms.control import choose, loop, scan
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import dim_value, placeholder

NO_SIZES: dict[str, Any] = {"names": (), "sizes": ()}


def counted() -> Graph:
    """(number, going, state, add) -> (state < 10, state + add, number * state)."""
    number, going = placeholder("number", dt.I64, ()), placeholder("going", dt.BOOL, ())
    state, add = placeholder("state", dt.I64, ()), placeholder("add", dt.I64, ())
    return Graph(
        (number, going, state, add),
        (("going", state.lt(10)), ("state", state + add), ("row", number * state)),
    )


def test_the_branch_that_is_taken_gets_its_own_captures() -> None:
    a, b = placeholder("a", dt.I64, ()), placeholder("b", dt.I64, ())
    n = dim_value(dims.symbol("n"), dt.I64)
    then, otherwise = Graph((a,), (("y", a + n),)), Graph((b,), (("y", b * 2),))
    attrs: dict[str, Any] = {"then": then, "otherwise": otherwise, "names": ("n",), "sizes": (5,), "split": 1}
    assert choose(np.bool_(True), np.int64(1), np.int64(3), **attrs) == (6,)
    assert choose(np.array([False]), np.int64(1), np.int64(3), **attrs) == (6,)
    assert choose(np.bool_(False), np.int64(1), np.int64(4), **attrs) == (8,)


@pytest.mark.parametrize(("trips", "first"), [(3, None), (None, True), (9, False), (0, True), (20, True)])
def test_loops_end_at_their_limit_or_their_condition(trips: int | None, first: bool | None) -> None:
    given = [np.int64(trips)] if trips is not None else []
    given += [np.bool_(first)] if first is not None else []  # type: ignore[list-item]
    got = loop(
        *given,
        np.int64(0),
        np.int64(2),
        body=counted(),
        limited=trips is not None,
        conditional=first is not None,
        carried=1,
        stacked=[(dt.I64, ())],
        **NO_SIZES,
    )
    expected, number, going = 0, 0, True if first is None else first
    row: list[int] = []
    while going and (trips is None or number < trips):
        going, expected, number = expected < 10, expected + 2, number + 1
        row.append((number - 1) * (expected - 2))
    assert (int(got[0]), got[1].tolist()) == (expected, row)
    assert got[1].dtype == np.int64


def test_scans_walk_along_the_first_axis() -> None:
    total, part, factor = (placeholder(n, dt.F32, (2,)) for n in ("total", "part", "factor"))
    body = Graph((total, part, factor), (("total", total + part * factor), ("row", total)))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    attrs: dict[str, Any] = {"body": body, "carried": 1, "scanned": 1, "stacked": [(dt.F32, (2,))]}
    start, factors = np.zeros(2, np.float32), np.float32([1, 10])
    last, rows = scan(start, x, factors, **attrs, **NO_SIZES)
    assert last.tolist() == [6, 90]
    assert rows.tolist() == [[0, 0], [0, 10], [2, 40]]
    _, none = scan(start, x[:0], factors, **attrs, **NO_SIZES)
    assert (none.shape, none.dtype) == ((0, 2), np.float32), "no step still has a shape"
