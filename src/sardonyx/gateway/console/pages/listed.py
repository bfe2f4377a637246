"""A long list in parts: what of it was asked for by a text and a state, so many names at a time.

Decides how parts are asked for in an address. Must not know what is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

SIZE = 50
"""Names in a part."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some `names` of the `found` ones, which are of `total`; the first of them is number `first`, from 1 on.

    `find` and `state` are what was asked; `query` asks for this part, `before` and `after` for those beside
    it, empty where there is none.
    """

    names: tuple[str, ...]
    first: int
    found: int
    total: int
    find: str
    state: str
    query: str
    before: str
    after: str


def part_of(states: Mapping[str, str], asked: Mapping[str, str]) -> Part:
    """The part of names, given with their states, that a query asks for by `find`, `state` and `part`.

    Capitals do not matter in names; a part beyond the last is the last.
    """
    find, state, number = asked.get("find", "").strip(), asked.get("state", ""), asked.get("part", "")
    found = [
        name
        for name, its in states.items()
        if find.casefold() in name.casefold() and (not state or (its == "READY") == (state == "ready"))
    ]
    last = max(0, len(found) - 1) // SIZE
    place = min(max(1, int(number[:9])) - 1 if number.isdecimal() else 0, last)

    def query(other: int) -> str:
        kept = {key: value for key, value in (("find", find), ("state", state)) if value}
        return urlencode({**kept, "part": other + 1})

    return Part(
        tuple(found[place * SIZE : (place + 1) * SIZE]),
        place * SIZE + 1,
        len(found),
        len(states),
        find,
        state,
        query(place),
        query(place - 1) if place else "",
        query(place + 1) if place < last else "",
    )
