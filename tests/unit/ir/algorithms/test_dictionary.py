"""Keys are looked up as Python's dicts do, NaN being a key like any other; rows become maps and back."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.algorithms import dictionary
from sardonyx.ir.algorithms.dictionary import cast_map, lookup, vectorize, zip_map


def test_the_first_of_equal_keys_counts() -> None:
    keys, values = np.array([1, 2, 1]), np.array([10, 20, 30])
    assert lookup(np.array([[1, 2], [3, 1]]), keys, values, np.array([-1])).tolist() == [[10, 20], [-1, 10]]
    texts = lookup(
        np.array(["b", "x"], object), np.array(["a", "b"], object), np.float32([1, 2]), np.float32(0)
    )
    assert (texts.tolist(), texts.dtype) == ([2, 0], np.float32)


def test_nan_is_a_key_and_zeros_are_one() -> None:
    keys, values = np.array([np.nan, 0.0]), np.array([1, 2])
    assert lookup(np.array([np.nan, -0.0, np.inf]), keys, values, np.array(9)).tolist() == [1, 2, 9]


def test_tables_are_made_once_and_go_with_their_values() -> None:
    keys, values = np.array([1, 2]), np.array(["a", "b"], object)
    asked, default = np.array([2, 3, 1]), np.array("", object)
    assert lookup(asked, keys, values, default).tolist() == ["b", "", "a"]
    (table,) = dictionary._tables.values()
    assert lookup(asked, keys, values, default).tolist() == ["b", "", "a"]
    assert [kept is table for kept in dictionary._tables.values()] == [True]
    other = np.array([3, 1])
    assert lookup(asked, other, values, default).tolist() == ["", "a", "b"], "the values alone are no table"
    del values
    assert not dictionary._tables


def test_rows_become_maps() -> None:
    assert zip_map(np.float32([[0.5, 0.25]]), labels=["a", "it's"]) == [{"a": 0.5, "it's": 0.25}]
    assert zip_map(np.float32([1, 2]), labels=[3, 4]) == [{3: 1.0, 4: 2.0}]


def test_maps_become_rows() -> None:
    assert vectorize({"b": 2, "z": 9}, keys=["a", "b"]).tolist() == [[0, 2]]
    assert cast_map({5: 1.0, 2: 3.0}, to="TO_FLOAT", size=None)[0].tolist() == [[3, 1]], "in order of keys"
    (row,) = cast_map({0: "7", 2: "8", 9: "1"}, to="TO_INT64", size=3)
    assert (row.tolist(), row.dtype) == ([[7, 0, 8]], np.int64)
    assert cast_map({1: 2}, to="TO_STRING", size=2)[0].tolist() == [["", "2"]]


def test_a_negative_key_has_no_column() -> None:
    with pytest.raises(ValueError, match="the key -1 has no column"):
        cast_map({-1: 2.0, 1: 3.0}, to="TO_FLOAT", size=2)
