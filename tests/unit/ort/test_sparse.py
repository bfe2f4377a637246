"""A sparse tensor is its dense one written shorter, by counts, coordinates or rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sardonyx.ort.sparse import CsrView, OrtSparseFormat, SparseTensor

arrays = hnp.arrays(
    np.int64, hnp.array_shapes(min_side=0, max_dims=3, max_side=4), elements=st.integers(-1, 1)
)


@settings(max_examples=40, deadline=None)
@given(arrays)
def test_dense_and_back(dense: Any) -> None:
    made = SparseTensor.from_dense(dense)
    np.testing.assert_array_equal(np.asarray(made), dense)
    assert len(made.values()) == np.count_nonzero(dense)
    at = np.stack(np.nonzero(dense), 1)
    again = SparseTensor.sparse_coo_from_numpy(dense.shape, dense[np.nonzero(dense)], at)
    np.testing.assert_array_equal(np.asarray(again), dense)
    assert again.dense_shape() == list(dense.shape)


def test_rows() -> None:
    made = SparseTensor.sparse_csr_from_numpy([3, 4], np.float32([1, 2, 3]), [3, 0, 2], [0, 1, 1, 3])
    assert np.asarray(made).tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [2, 0, 3, 0]]
    assert (made.format(), made.data_type()) == (OrtSparseFormat.ORT_SPARSE_CSRC, "sparse_tensor(float)")
    assert made.as_csrc_view().inner().tolist() == [3, 0, 2]
    assert made.as_csrc_view().outer().tolist() == [0, 1, 1, 3]
    with pytest.raises(RuntimeError, match="COO"):
        made.as_coo_view()


def test_the_other_texts_are_empty() -> None:
    dense = np.array([["a", ""], ["", "b"]], object)
    assert np.asarray(SparseTensor.from_dense(dense)).tolist() == dense.tolist()
    made = SparseTensor.sparse_coo_from_numpy([3], np.array(["x"]), [1])
    assert np.asarray(made).tolist() == ["", "x", ""]


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        ([3], [3]),
        ([3], [-1]),
        ([2, 3], [[0, 3]]),
        ([2, 3], [[0, 0, 0]]),
        ([2, 3], [0, 1]),
        ([2, 3], [[[0, 1]]]),
    ],
)
def test_places_that_do_not_fit(shape: list[int], places: Any) -> None:
    with pytest.raises(RuntimeError, match=r"[Pp]lace"):
        SparseTensor.sparse_coo_from_numpy(shape, np.float32([1]), places)


@pytest.mark.parametrize("outer", [[0, 1], [1, 1, 1], [0, 2, 1], [0, 0, 2], []])
def test_rows_that_do_not_fit(outer: list[int]) -> None:
    with pytest.raises(RuntimeError, match="row beginnings"):
        SparseTensor.sparse_csr_from_numpy([2, 3], np.float32([1]), [0], outer)


def test_views_cannot_be_written() -> None:
    made = SparseTensor.from_dense(np.arange(3))
    for array in (made.values(), made.as_coo_view().indices()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    for refused in (made.as_csrc_view, made.as_blocksparse_view, lambda: made.to_cuda(None)):
        with pytest.raises(RuntimeError):
            refused()
    with pytest.raises(ValueError, match="copy"):
        made.__array__(copy=False)
    assert not CsrView(np.zeros(1), np.zeros(1)).inner().flags.writeable
