"""Nothing is said twice: no run of more than ten lines of code stands in two places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.arch.parsed import parsed

SOURCES = Path(__file__).parents[2] / "src" / "sardonyx"
LONGEST = 10
GENERATED = ("_pb2.py", "client/synchronous.py")


def code_lines(path: Path) -> list[tuple[int, str]]:
    """Numbers and texts of the lines that say something.

    Imports do not, nor do signatures: that of an operator is its schema.
    """
    text, silent = path.read_text(encoding="utf-8"), parsed(path).silent
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(n, line) for n, line in lines if n not in silent and any(map(str.isalnum, line))]


def windows(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every run of `LONGEST` + 1 lines, and where it begins."""
    lines, place = code_lines(path), path.relative_to(SOURCES).as_posix()
    texts = tuple(line for _, line in lines)
    for at in range(len(lines) - LONGEST):
        yield texts[at : at + LONGEST + 1], f"{place}:{lines[at][0]}"


def test_no_run_of_lines_stands_in_two_places() -> None:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in sorted(SOURCES.rglob("*.py")):
        if not path.as_posix().endswith(GENERATED):
            for run, where in windows(path):
                found[run].append(where)
    repeats = sorted({tuple(places) for places in found.values() if len(places) > 1})
    assert not repeats, "\n".join(" = ".join(places) for places in repeats)
