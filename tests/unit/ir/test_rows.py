"""Rows are long enough for vectors, and laid side by side where much is picked of them."""

from __future__ import annotations

from sardonyx.base.dim import symbol
from sardonyx.ir.rows import is_row, picks_many


def test_a_row_is_a_known_number_of_elements_that_fills_a_vector() -> None:
    assert [is_row(size) for size in (0, 7, 8, 33)] == [False, False, True, True]
    assert not is_row(symbol("C"))


def test_much_is_picked_from_a_sixteenth_of_the_source_on_or_of_sizes_that_are_free() -> None:
    assert [picks_many(picked, 160) for picked in (0, 9, 10, 1000)] == [False, False, True, True]
    assert picks_many(0, 0)
    assert picks_many(symbol("N"), 10**6) and picks_many(1, symbol("N"))
