"""Imports go one way: the contracts of pyproject.toml hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "sardonyx"
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {LINT}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def layers() -> dict[str, int]:
    """The height of every folder and module of the package."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return {name.strip(): -height for height, row in enumerate(rows) for name in row.split("|")}


def named(path: Path) -> Iterator[tuple[int, str]]:
    """The folders that the arguments and rows of a file name as text: what is imported by name is there."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text if re.search(r"[\"']sardonyx\.", text) else "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Dict | ast.Tuple | ast.JoinedStr):
            for child in ast.walk(node):
                text = child.value if isinstance(child, ast.Constant) else None
                if isinstance(text, str) and (found := re.match(r"sardonyx\.(\w+)(\.\w+)*\.?$", text)):
                    yield node.lineno, found[1]


def test_what_is_imported_by_name_goes_down_too() -> None:
    height = layers()
    wrong = [
        f"{path.relative_to(SOURCES)}:{line} names {name}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line, name in named(path)
        if (own := height.get(path.relative_to(SOURCES).with_suffix("").parts[0])) is not None
        and name in height
        and height[name] > own
    ]
    assert not wrong, "\n".join(wrong)
