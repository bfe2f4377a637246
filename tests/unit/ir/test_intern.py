"""Equal attributes and contents have equal keys, others have not."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.intern import Table, const_key, freeze


def test_attributes_in_any_order_and_kind_of_list() -> None:
    first = freeze({"a": [1, 2], "b": {"c": np.arange(3)}})
    assert first == freeze({"b": {"c": np.arange(3)}, "a": (1, 2)})
    assert hash(first) is not None
    assert first != freeze({"a": [1, 2], "b": {"c": np.arange(3.0)}})
    assert freeze([[1], [2, 3]]) != freeze([[1, 2], [3]])


def test_constants_are_known_by_content_type_and_shape() -> None:
    a = np.arange(6, dtype=np.float32)
    assert const_key(a, dt.F32) == const_key(a.copy(), dt.F32)
    assert const_key(a, dt.F32) != const_key(a.reshape(2, 3), dt.F32)
    assert const_key(a, dt.F32) != const_key(a.view(np.int32), dt.I32)
    assert const_key(np.float32([0.0]), dt.F32) != const_key(np.float32([-0.0]), dt.F32), "bits decide"
    texts = np.array(["a", "b"], object)
    assert const_key(texts, dt.STRING) == const_key(texts.copy(), dt.STRING)


def test_large_constants_are_known_by_their_array() -> None:
    large = np.zeros(5000)
    assert const_key(large, dt.F64) == const_key(large, dt.F64) != const_key(large.copy(), dt.F64)


class Thing:
    """What can be held."""


def test_a_table_knows_what_somebody_holds() -> None:
    table: Table[Thing] = Table()
    one = Thing()
    assert table.first((1, "a"), one) is one
    assert table.find((1, "a")) is one
    assert table.find((1, "b")) is None
    del one
    assert table.find((1, "a")) is None
    assert len(table) == 0


def test_the_first_of_equal_ones_stays() -> None:
    table: Table[Thing] = Table()
    first, second = Thing(), Thing()
    assert table.first("key", first) is first
    assert table.first("key", second) is first
    del second
    assert table.find("key") is first
    assert len(table) == 1
