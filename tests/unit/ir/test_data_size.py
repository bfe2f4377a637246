"""Sizes that depend on data are symbols, and where they come from is noted."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.data_size import DataSize, collect_data_sizes, content, data_sized, source_of
from sardonyx.ir.value import const, dims_vector, placeholder

N = dims.symbol("N")


def test_known_content_is_itself() -> None:
    assert content(const(np.array([3, -1]))) == (3, -1)
    assert content(dims_vector((N, 2))) == (N, 2)


def test_other_content_becomes_symbols_with_sources() -> None:
    i = placeholder("i", dt.I64, (2,))
    with collect_data_sizes() as found:
        sizes = content(i, 1)
        assert source_of(next(iter(found))) == DataSize(i, 0)
    assert [dims.lower_bound(size) for size in sizes] == [1, 1]
    assert list(found.values()) == [DataSize(i, 0), DataSize(i, 1)]
    assert source_of(next(iter(found))) is None, "nothing is collected any more"
    with collect_data_sizes() as outer, collect_data_sizes() as inner:
        content(i)
    assert not outer
    assert inner, "the innermost collects"


def test_a_tensor_of_unknown_length_gives_no_sizes() -> None:
    with pytest.raises(ShapeError, match="known number of elements"), collect_data_sizes():
        content(placeholder("i", dt.I64, (N,)))


def test_open_extents_of_results() -> None:
    x = placeholder("x", dt.F32, (N,))
    with collect_data_sizes() as found:
        places, count = data_sized("nonzero", [x], {}, [(dt.I64, (1, None)), (dt.I64, (1,))])
        again, _ = data_sized("nonzero", [x], {}, [(dt.I64, (1, None)), (dt.I64, (1,))])
    assert (places.shape[0], count.shape) == (1, (1,))
    name = dims.symbol_name(places.shape[1])
    assert name is not None
    assert (found[name].index, found[name].result) == (1, 0)
    assert again.shape[1] != places.shape[1], "each use has sizes of its own"
