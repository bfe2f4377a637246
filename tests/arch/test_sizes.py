"""No giant files and no giant functions: taking subjects apart keeps both readable."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.arch.parsed import parsed

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs")
FILE_LINES, FUNCTION_LINES = 500, 60


@cache
def folders() -> dict[str, list[Path]]:
    """The sources of every folder, by its name."""
    held: dict[str, list[Path]] = {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        held.setdefault(str(path.parent.relative_to(ROOT)), []).append(path)
    return held


@pytest.mark.parametrize("folder", folders())
def test_files_and_functions_are_short(folder: str) -> None:
    wrong: list[str] = []
    for path in folders()[folder]:
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > FILE_LINES:
            wrong.append(f"{path.name} has {lines} lines: split it by subject")
        if lines > FUNCTION_LINES:
            wrong += [
                f"{path.name}: {name} has {count} lines: split it"
                for name, count in parsed(path).functions
                if count > FUNCTION_LINES
            ]
    assert not wrong, "\n".join(wrong)
