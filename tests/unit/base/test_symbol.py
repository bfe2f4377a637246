"""An unknown is its name, whatever is known of it."""

from __future__ import annotations

from sardonyx.base.symbol import Symbol


def test_unknowns_of_one_name_are_equal_and_found_by_it() -> None:
    one, other = Symbol("N", 1), Symbol("N", None)
    assert one == other
    assert {one: 3}["N"] == 3
    assert (one.low, other.low, one.name, type(one.name)) == (1, None, "N", str)
