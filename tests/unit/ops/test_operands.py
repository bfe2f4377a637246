"""Axes, sizes and amounts are read from what is known; what is not is asked for by the inputs it needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import NeedsContent, ShapeError
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.value import const, placeholder
from sardonyx.ops.operands import (
    axes,
    integer,
    integers,
    naming,
    needs_size,
    needs_unit,
    normal_axes,
    size,
    sizes,
    units,
)

N, M = dims.symbol("N"), dims.symbol("M")


def test_known_content() -> None:
    assert integers(const(np.array([3, -1])), "v") == (3, -1)
    assert integer(const(np.array([[7]])[0]), "v") == 7
    assert integer(const(np.array(7)), "v") == 7
    assert sizes(const(np.array([3, 0])), "v") == (3, 0)
    assert size(const(np.array(5)), "v") == 5
    with pytest.raises(ShapeError):
        integers(const(np.zeros((1, 1), np.int64)), "v")
    with pytest.raises(ShapeError, match="must be integers"):
        sizes(const(np.zeros(2)), "v")


def test_sizes_in_known_content_stay_expressions() -> None:
    mixed = const(np.array([N, 2], object), dt.I64)
    assert sizes(mixed, "v") == (N, 2)
    with pytest.raises(NeedsContent):
        integers(mixed, "v")


def test_arithmetic_of_unknown_numbers_is_traced() -> None:
    with collect_data_sizes() as found:
        x = placeholder("x", dt.I64, (2,))
        a, b = sizes(x, "v")
        twice, less = sizes(x * const(np.array([2, 3])) - const(np.array([0, 1])), "v")
        assert len(found) == 2, "what is computed from them is not a new unknown"
    assert (twice, less) == (a * 2, b * 3 - 1)


def test_errors_name_the_inputs_and_sizes_that_decide() -> None:
    x, y = placeholder("x", dt.I64, (1,)), placeholder("y", dt.I64, (1,))
    with pytest.raises(NeedsContent, match="axes must be known when the model is compiled") as told:
        integers(x + y, "axes")
    assert sorted(told.value.inputs) == ["x", "y"]
    assert needs_size(N + M, "a size").sizes == (("M", "", 0), ("N", "", 0))
    with pytest.raises(NeedsContent) as told:
        sizes(placeholder("z", dt.I64, (N,)), "amounts")
    assert [name for name, _, _ in told.value.sizes] == ["N"]


def test_whether_a_size_is_one_is_asked_of_that_size_alone() -> None:
    assert needs_unit(N, "a size").units == (("N", "", 0),)
    both = needs_unit(N + M, "a size")
    assert (len(both.sizes), len(both.units)) == (2, 0)


@given(st.integers(1, 6).flatmap(lambda r: st.tuples(st.just(r), st.sets(st.integers(0, r - 1)), st.data())))
def test_axes_are_sorted_and_counted_from_the_front(drawn: tuple[int, set[int], st.DataObject]) -> None:
    rank, wanted, data = drawn
    written = [
        a - rank if data.draw(st.booleans()) else a for a in data.draw(st.permutations(sorted(wanted)))
    ]
    assert normal_axes(written, rank) == tuple(sorted(wanted))


def test_axes_that_are_none() -> None:
    x = placeholder("x", dt.F32, (2, 3))
    assert axes(None, x) is None
    assert axes(const(np.array([-1, 0])), x) == (0, 1)
    assert axes(const(np.array([-1])), x, 3) == (2,)
    for bad, said in (([2], "out of range"), ([-3], "out of range"), ([0, -2], "twice")):
        with pytest.raises(ValueError, match=said):
            normal_axes(bad, 2)


def test_whether_sizes_are_one() -> None:
    assert units((1, 3, N + 2), "a size") == (True, False, False)
    with pytest.raises(NeedsContent) as asked:
        units((1, N), "a size")
    assert asked.value.units == (("N", "", 0),)
    with collect_data_sizes():
        (count,) = content(placeholder("n", dt.I64, (1,)))
        with pytest.raises(NeedsContent) as asked, naming(lambda value: value):
            units((1, count), "a size")
        (value,) = asked.value.wanted
        assert (value.dtype, value.shape) == (dt.BOOL, (2,))
        with pytest.raises(NeedsContent) as asked, naming(lambda value: None):
            units((1, count), "a size")
        assert asked.value.inputs == ("n",)
        with naming(lambda value: const(np.array([True, False]))):
            assert units((1, count), "a size") == (True, False)
