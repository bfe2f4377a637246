"""Views are other places in one storage: their elements are those that numpy's views have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Place, Storage, blocks, contiguous_strides, reshape_strides, view
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, placeholder

X = placeholder("x", dt.I64, (2, 3, 4))
MEMORY = np.arange(24)
HOME = Place(Storage("input", dt.I64, 24), 0, contiguous_strides(X.shape))


def at(place: Place, shape: Any) -> Any:
    """The elements of a place."""
    index = np.full(shape, place.offset)
    for axis, stride in enumerate(place.strides):
        steps = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        index = index + steps * stride
    return MEMORY[index]


@pytest.mark.parametrize(
    "value",
    [
        X.transpose(2, 0, 1),
        X.slice((1, 0, 3), (1, 2, 2), (1, 2, -2)),
        X.slice((0, 2, 0), (2, 1, 4)).broadcast((2, 5, 4)),
        X.window((1,), (2,), (1,), (1,)),
        X.window((2, 1), (2, 2), (2, 1), (1, 1)),
        X.reshape((6, 2, 2)),
        X.reshape((24,)),
    ],
    ids=lambda v: v.prim,
)
def test_a_view_reads_what_its_meaning_says(value: Value) -> None:
    chain, place = [value], HOME
    while chain[-1].args[0] is not X:
        chain.append(chain[-1].args[0])
    for step in reversed(chain):
        found = view(step, place)
        assert found is not None
        place = found
    (expected,) = run(Graph((X,), (("y", value),)), [MEMORY.reshape(2, 3, 4)])
    assert np.array_equal(at(place, value.shape), expected)


def test_what_is_no_view_has_no_place() -> None:
    assert view(-X, HOME) is None
    turned = X.transpose(2, 1, 0)
    place = view(turned, HOME)
    assert place is not None
    assert view(turned.reshape((24,)), place) is None, "columns do not run on"


@given(
    st.permutations([0, 1, 2]),
    st.sampled_from([(24,), (6, 4), (2, 12), (4, 6), (3, 8), (1, 2, 3, 1, 4), (2, 2, 6)]),
)
@settings(deadline=None)
def test_reshaped_strides_reach_the_same_elements(order: list[int], new: tuple[int, ...]) -> None:
    array = MEMORY.reshape(2, 3, 4).transpose(order)
    strides = tuple(s // 8 for s in array.strides)
    found = reshape_strides(array.shape, strides, new)
    if found is None:
        assert list(order) != [0, 1, 2], "a dense tensor always has a view"
    else:
        assert np.array_equal(at(Place(HOME.storage, 0, found), new), array.reshape(new))


def test_runs_of_axes_are_matched_with_symbols() -> None:
    n, m = dims.symbol("n"), dims.symbol("m")
    assert blocks((n, m, 6), (n * m, 2, 3)) == [([0, 1], [0]), ([2], [1, 2])]
    assert blocks((n, 1, 6), (1, n, 6)) == [([0], [1]), ([2], [2])]
    assert blocks((n, 6), (m, 6)) is None


def test_an_axis_of_one_element_keeps_its_stride_unless_it_repeats() -> None:
    n = dims.symbol("n")
    place = Place(Storage("arena", dt.F32, n * 8), 0, (8, 8, 1))
    assert place.spread((n, 1, 8), (n, 1, 8)) == place
    assert place.spread((1, 1, 8), (4, 1, 8)).strides == (0, 8, 1)
