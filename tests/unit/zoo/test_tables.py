"""Rows of tables are what their models expect: one of each block, within ranges, bytes at both ends."""

from __future__ import annotations

import itertools

import numpy as np

from sardonyx.zoo.tables import MAKERS, ONE_HOT_ENDS, RANGES


def test_rows() -> None:
    table = MAKERS["nani_random_forest"].make(rows=20)["input"]
    for start, end in itertools.pairwise(ONE_HOT_ENDS):
        assert (table[:, start:end].sum(1) == 1).all()
    columns = MAKERS["surrogate_mlp"].make(rows=50)["input"].T
    assert all((low <= c).all() and (c < high).all() for c, (low, high) in zip(columns, RANGES, strict=True))
    words = MAKERS["nani_onehot_strings"].make(rows=7)["input"]
    assert (words.shape, words.dtype) == ((7, 6), np.dtype(object))
    files = MAKERS["magika"].make(files=2)["bytes"]
    assert files[0, 0] == ord("0")
    assert (files[0] == 256).any()
    assert files.max() == 256
