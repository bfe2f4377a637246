"""Long lists in parts: what is found, which part is shown, and how the next to it are asked for."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from sardonyx.gateway.console.pages.listed import SIZE, Part, part_of

MANY = {f"model-{number:03}": "READY" if number % 2 else "LOADING" for number in range(2 * SIZE + 20)}


def asked(query: str) -> Part:
    return part_of(MANY, dict(parse_qsl(query)))


def test_parts_follow_each_other_and_hold_all() -> None:
    part, names = asked(""), []
    while True:
        names += part.names
        assert part.names[0] == names[part.first - 1]
        assert asked(part.query) == part
        if not part.after:
            break
        assert asked(asked(part.after).before) == part
        part = asked(part.after)
    assert names == list(MANY)


@pytest.mark.parametrize(
    ("query", "found"),
    [("find=MODEL-00", 10), ("find=%20model-007%20", 1), ("state=ready", 60), ("state=unready&find=01", 5)],
)
def test_what_is_asked_for_is_found_in_every_part(query: str, found: int) -> None:
    part = asked(query)
    assert (part.found, part.total) == (found, 120)
    assert len(part.names) == min(found, SIZE)
    if part.after:
        assert (asked(part.after).found, asked(part.after).state) == (found, part.state)


@pytest.mark.parametrize(
    ("part", "first"), [("3", 101), ("99", 101), ("9" * 30, 101), ("0", 1), ("-1", 1), ("x", 1), ("²", 1)]
)
def test_a_part_that_is_not_there_is_the_next_best(part: str, first: int) -> None:
    assert asked(f"part={part}").first == first


def test_a_text_for_an_address_stays_one() -> None:
    part = part_of({f"a&b={number}": "READY" for number in range(60)}, {"find": "a&b="})
    assert dict(parse_qsl(part.after)) == {"find": "a&b=", "part": "2"}


def test_of_nothing_there_is_an_empty_part() -> None:
    part = part_of({}, {"part": "5"})
    assert (part.names, part.found, part.before, part.after) == ((), 0, "", "")
