"""No giant files and no giant functions: taking subjects apart keeps both readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.arch.reached import statements

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


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in statements(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("folder", folders())
def test_files_and_functions_are_short(folder: str) -> None:
    wrong: list[str] = []
    for path in folders()[folder]:
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > FILE_LINES:
            wrong.append(f"{path.name} has {lines} lines: split it by subject")
        if lines > FUNCTION_LINES:
            wrong += [
                f"{path.name}: {name} has {count} lines: split it"
                for name, count in functions(ast.parse(text))
                if count > FUNCTION_LINES
            ]
    assert not wrong, "\n".join(wrong)
