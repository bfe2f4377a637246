"""Values know the nodes they are built for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sardonyx.ir.origin import MOST_NODES, add_to, innermost, origin


@dataclass
class Thing:
    origins: tuple[str, ...] = ()


def test_the_innermost_node_is_noted_once() -> None:
    thing = Thing()
    add_to(thing)
    assert (thing.origins, innermost()) == ((), "")
    with origin("outer"):
        with origin("inner"):
            add_to(thing)
            add_to(thing)
            assert innermost() == "inner"
        add_to(thing)
    assert thing.origins == ("inner", "outer")


def test_a_value_of_very_many_nodes_is_named_by_the_first() -> None:
    thing = Thing()
    for number in range(MOST_NODES + 2):
        with origin(str(number)):
            add_to(thing)
    assert thing.origins == tuple(map(str, range(MOST_NODES)))


def test_a_node_that_fails_is_left() -> None:
    with pytest.raises(KeyError), origin("broken"):
        raise KeyError
    assert innermost() == ""
