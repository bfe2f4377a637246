"""Commands on the pages are commands of this program: names and options, also where nothing runs them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sardonyx.tools.cli import parser

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*.md")])
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
CALL = re.compile(r"(?:^|[\s`$(&|])(?<!import )sardonyx ((?:[a-z][a-z-]*)(?: [^`|&;#\n]*)?)", re.M)
FOREIGN = {"CHANGELOG.md", "operators.md"}
"""Pages that speak of what was, or of no command."""


@cache
def commands(words: tuple[str, ...] = ()) -> dict[str, argparse.ArgumentParser]:
    """The commands, or the parts of a command that has some."""
    above = parser() if not words else commands(words[:-1])[words[-1]]
    found = [a.choices for a in above._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found[0]) if found else {}


def calls(page: Path) -> Iterator[str]:
    for code in CODE.findall(page.read_text(encoding="utf-8")):
        for call in CALL.findall(code.replace("\\\n", " ")):
            yield call.strip()


def fault(call: str) -> str:
    """What is wrong with the words after `sardonyx`; nothing if they may be given."""
    words = call.replace("`", " ").split()
    path: tuple[str, ...] = ()
    while words and (known := commands(path)):
        if words[0] not in known:
            return f"there is no command {' '.join((*path, words[0]))}"
        path = (*path, words.pop(0))
    options = commands(path[:-1])[path[-1]]._option_string_actions
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    return f"{' '.join(path)} has no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_known(page: Path) -> None:
    if page.name not in FOREIGN:
        assert [f"{call}: {what}" for call in calls(page) if (what := fault(call))] == []


def test_the_judge_finds_faults() -> None:
    assert not fault("serve model.onnx --http-port 1")
    assert fault("nonsense x") == "there is no command nonsense"
    assert fault("serve x --no-such") == "serve has no option --no-such"
    assert fault("monitor nonsense") == "there is no command monitor nonsense"
    assert sum(1 for page in PAGES for _ in calls(page)) > 80
