"""No giant files and no giant functions: taking subjects apart keeps both readable."""

from __future__ import annotations

from pathlib import Path

from tests.arch.parsed import parsed

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs")
FILE_LINES, FUNCTION_LINES = 500, 60


def test_files_and_functions_are_short() -> None:
    wrong: list[str] = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        lines, place = path.read_text(encoding="utf-8").count("\n"), path.relative_to(ROOT)
        if lines > FILE_LINES:
            wrong.append(f"{place} has {lines} lines: split it by subject")
        if lines > FUNCTION_LINES:
            wrong += [
                f"{place}: {name} has {count} lines: split it"
                for name, count in parsed(path).functions
                if count > FUNCTION_LINES
            ]
    assert not wrong, "\n".join(wrong)
