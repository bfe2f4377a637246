"""Options in messages are Python's, and become those of the command, whichever it is."""

from __future__ import annotations

import pytest

from sardonyx.convert import words


@pytest.mark.parametrize(
    ("option", "of_the_command"),
    [
        (words.SAMPLE, "--sample FILE"),
        (words.KIND, "--from KIND"),
        (words.FIXED, "--dynamic _"),
        (words.DOUBLE, "--double"),
        (words.FORCE, "--force"),
        (words.an_input("ids=1,16:int64"), "--input ids=1,16:int64"),
        (words.a_part("encoder"), "--part encoder"),
    ],
)
def test_options(option: str, of_the_command: str) -> None:
    assert (
        words.on_the_command_line(f"give {option}, or {option}")
        == f"give {of_the_command}, or {of_the_command}"
    )
