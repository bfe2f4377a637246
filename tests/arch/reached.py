"""Which modules the tests of a file ask: read from the sources, nothing is run.

A test asks a module if it, or a function, fixture or constant of the tests that it uses, names something
that is imported from just that module; annotations do not count. A test that asserts nothing asks nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path, root: Path) -> str:
    """The dotted name of a file; of a folder for its __init__."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {name_of(path, SOURCES): path for path in sorted(SOURCES.rglob("*.py"))}


@cache
def files_of_tests() -> dict[str, Path]:
    return {name_of(path, ROOT): path for path in sorted((ROOT / "tests").rglob("*.py"))}


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those of annotations."""
    yield tree
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from nodes(child)


def asserts(node: ast.AST) -> bool:
    """Whether a node is a claim that can be wrong."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    return isinstance(node, ast.Attribute) and (
        node.attr in ("raises", "fail") or node.attr.startswith("assert_")
    )


@dataclass(frozen=True)
class Source:
    """A file of tests: what it imports by local name, and what it defines."""

    imports: dict[str, tuple[str, str]]
    definitions: dict[str, ast.stmt]


@cache
def source(name: str) -> Source:
    tree = ast.parse(files_of_tests()[name].read_text(encoding="utf-8"))
    imports: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = whole in modules() or whole in files_of_tests()
                imports[alias.asname or alias.name] = (whole, "") if is_module else (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                imports[alias.asname or alias.name.partition(".")[0]] = (alias.name, "")
    definitions: dict[str, ast.stmt] = {}
    for statement in tree.body:
        if isinstance(statement, Function | ast.ClassDef):
            definitions[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = (n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
            definitions.update(dict.fromkeys(names, statement))
    return Source(imports, definitions)


def fixture(name: str, file: str) -> str:
    """The conftest above a file that defines a fixture, or nothing."""
    folders = file.split(".")[:-1]
    above = (".".join([*folders[:length], "conftest"]) for length in range(len(folders), 0, -1))
    return next((c for c in above if c in files_of_tests() and name in source(c).definitions), "")


@dataclass
class Walk:
    """What one test comes by."""

    asked: set[str]
    seen: set[tuple[str, str]]
    claims: bool = False

    def visit(self, file: str, name: str) -> None:
        """Go through a definition and through all that it uses."""
        if (file, name) in self.seen:
            return
        self.seen.add((file, name))
        if name not in source(file).definitions:
            return
        for node in nodes(source(file).definitions[name]):
            self.claims |= asserts(node)
            used = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if used in source(file).imports:
                origin, member = source(file).imports[used]
                if origin in modules():
                    self.asked.add(origin)
                elif origin in files_of_tests():
                    self.visit(origin, member)
            elif used in source(file).definitions:
                self.visit(file, used)
            elif isinstance(node, ast.arg) and (above := fixture(used, file)):
                self.visit(above, used)


@cache
def asked_by(file: str) -> frozenset[str]:
    """The modules that the tests of a file ask."""
    found: set[str] = set()
    for name, definition in source(file).definitions.items():
        if name.startswith("test_") and isinstance(definition, Function):
            walk = Walk(set(), set())
            walk.visit(file, name)
            found |= walk.asked if walk.claims else set()
    return frozenset(found)
