"""Tuples and numbers with names behave as those that the standard library makes."""

from __future__ import annotations

import enum
import json
import pickle
import typing
from collections.abc import Callable
from typing import Any

import pytest

from sardonyx.base.named import IntEnum, NamedTuple


class Place(NamedTuple):
    """A place."""

    row: int
    column: int = 7
    label: str = ""

    def moved(self, by: int) -> Place:
        """Further down."""
        return self._replace(row=self.row + by)


class Peer(typing.NamedTuple):
    """The same of the standard library."""

    row: int
    column: int = 7
    label: str = ""


class Word(IntEnum):
    """Words of a block."""

    FIRST = 0
    SECOND = 1
    AGAIN = 1


class PeerWord(enum.IntEnum):
    """The same of the standard library."""

    FIRST = 0
    SECOND = 1
    AGAIN = 1


CALLS: list[Callable[[Any], Any]] = [
    lambda make: make(1),
    lambda make: make(1, 2),
    lambda make: make(1, 2, "a"),
    lambda make: make(row=1, label="b"),
    lambda make: make(1, label="b"),
    lambda make: make(),
    lambda make: make(1, 2, "a", 4),
    lambda make: make(1, row=2),
    lambda make: make(1, other=2),
    lambda make: make(column=2),
]


@pytest.mark.parametrize("call", CALLS)
def test_tuples_are_made_and_refused_alike(call: Callable[[Any], Any]) -> None:
    try:
        peer = call(Peer)
    except TypeError:
        with pytest.raises(TypeError, match="Place"):
            call(Place)
        return
    made = call(Place)
    assert made == peer
    assert made._asdict() == peer._asdict()
    assert (made.row, made.column, made.label) == (peer.row, peer.column, peer.label)
    assert repr(made) == repr(peer).replace("Peer", "Place")


def test_a_tuple_is_a_tuple_with_methods_of_its_own() -> None:
    made = Place(1, 2, "c")
    assert isinstance(made, tuple)
    assert made.moved(3) == (4, 2, "c")
    assert type(made.moved(3)) is Place
    assert pickle.loads(pickle.dumps(made)) == made
    assert type(pickle.loads(pickle.dumps(made))) is Place
    assert not hasattr(made, "__dict__")
    with pytest.raises(AttributeError):
        made.row = 3  # type: ignore[misc]
    match made:
        case Place(row, column, label):
            assert (row, column, label) == (1, 2, "c")


@pytest.mark.parametrize("kind", [Word, PeerWord])
def test_numbers_with_names(kind: Any) -> None:
    second = kind.SECOND
    assert (second, second.name, second.value, int(second)) == (1, "SECOND", 1, 1)
    assert isinstance(second, kind)
    assert kind(1) is second is kind["SECOND"] is kind.AGAIN
    assert [word.name for word in kind] == ["FIRST", "SECOND"]
    assert (len(kind), f"{second}", str(second), f"{second:3d}") == (2, "1", "1", "  1")
    assert repr(second) == f"<{kind.__name__}.SECOND: 1>"
    assert ({1: "x"}[second], [5, 6][second], second + 1) == ("x", 6, 2)
    assert json.dumps([second]) == "[1]"
    assert pickle.loads(pickle.dumps(second)) is second
    with pytest.raises(ValueError, match="2 is not a valid"):
        kind(2)
    with pytest.raises(KeyError):
        kind["THIRD"]
