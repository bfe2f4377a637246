"""What many rows read alike is found, and stored only where computing it takes long."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.fuse.partition import partition
from sardonyx.fuse.repeated import is_costly, repeats
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, placeholder
from sardonyx.kernels.families import NATIVE

N = dims.symbol("N")


def x(*shape: Any, dtype: dt.DType = dt.F32) -> Value:
    return placeholder("x", dtype, shape)


@pytest.mark.parametrize("rows", [N, 8, 1000])
def test_rows_that_many_rows_read(rows: Any) -> None:
    assert repeats(x(rows, 9) * x(1, 9), 1)
    assert not repeats(x(rows, 9) * x(1, 9), 0)
    assert repeats(x(1, 9).broadcast((rows, 9)), 0)
    places = x(5, dtype=dt.I32)
    assert repeats(x(rows, 9).gather(places, 1), 1)
    assert not repeats(x(rows, 9).gather(places, 1), 0)
    assert not repeats(x(9, rows).gather(places, 0), 1), "a row is read at one place as a whole"


def test_few_rows_and_single_numbers_are_not_worth_it() -> None:
    assert not repeats(x(7, 9) * x(1, 9), 1)
    assert not repeats(x(N, 9) * x(1, 1), 1)
    assert not repeats(x(N, 9) * x(N, 1), 1)
    assert not repeats(x(N, 9).sum(0), 0)


def test_what_takes_long_is_a_chain_or_a_function() -> None:
    row = x(1, 9)
    assert is_costly(row.exp())
    assert not is_costly(row + 1)
    assert is_costly(x(1, 9, dtype=dt.I32).cast(dt.F32) * 0.5 + 1), "what dequantises and adds a bias"
    assert is_costly(sum((row * k for k in range(5)), start=row))
    assert not is_costly(row.sum(0)), "what is no map is stored, or inlined for reasons of its own"
    assert not is_costly(x(1, 1).exp() + row), "a single number is computed once"


def groups(y: Value, *inputs: Value) -> list[str]:
    graph = Graph(tuple(inputs), (("y", y),))
    return [str(group.root.prim) for group in partition(graph, NATIVE).groups]


def test_a_costly_row_is_a_kernel_of_its_own_and_a_cheap_one_is_not() -> None:
    big, row = placeholder("a", dt.F32, (N, 9)), placeholder("b", dt.F32, (9,))
    assert groups(big * row.exp().reshape((1, 9)), big, row) == ["exp", "mul"]
    assert groups(big * (row + 1).reshape((1, 9)), big, row) == ["mul"]


def test_what_is_reduced_from_the_reader_itself_stays_in_its_kernel() -> None:
    big = placeholder("a", dt.F32, (N, 64, 9))
    scale = 1.0 / ((big * big).sum(1) + 1.0).sqrt()
    assert is_costly(scale)
    assert not is_costly(scale, [big * scale])
    assert groups(big * scale, big) == ["mul"]
