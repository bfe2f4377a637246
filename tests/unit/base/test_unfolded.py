"""Sequences and maps taken apart."""

from __future__ import annotations

import numpy as np

from sardonyx.base.unfolded import unfolded


def test_sequences_lie_one_behind_the_other() -> None:
    parts = np.arange(2), [np.arange(3), [np.arange(1)]], 5, []
    assert [tensor.tolist() for tensor in unfolded(parts)] == [[0, 1], [0, 1, 2], [0], 5]


def test_maps_of_the_same_keys_are_a_table() -> None:
    keys, table = unfolded([[{"a": 0.25, "b": 0.75}, {"b": 0.5, "a": 0.5}]])
    assert keys.tolist() == ["a", "b"] and table.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert [tensor.tolist() for tensor in unfolded([{3: 0.5}])] == [[3], [[0.5]]]


def test_maps_of_other_keys_stand_alone() -> None:
    assert [tensor.tolist() for tensor in unfolded([[{1: 0.5}, {2: 0.5, 3: 1.0}]])] == [
        *([1], [0.5]),
        *([2, 3], [0.5, 1.0]),
    ]
