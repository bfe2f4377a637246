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

from tests.arch.parsed import Function, parsed, statements

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"


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
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            if field not in ("annotation", "returns"):
                value = getattr(node, field, None)
                children = value if isinstance(value, list) else [value]
                waiting += [child for child in children if isinstance(child, ast.AST)]


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
    tree = parsed(files_of_tests()[name]).tree
    assert tree is not None
    imports: dict[str, tuple[str, str]] = {}
    for node in statements(tree):
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


@dataclass(frozen=True)
class Uses:
    """What one definition names by itself."""

    modules: frozenset[str]
    definitions: frozenset[tuple[str, str]]
    claims: bool


@cache
def uses(file: str, name: str) -> Uses:
    """What the definition of that name in a file of tests names; nothing if it has none."""
    named: set[str] = set()
    definitions: set[tuple[str, str]] = set()
    claims = False
    for node in nodes(source(file).definitions[name]) if name in source(file).definitions else ():
        claims |= asserts(node)
        used = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
        if used in source(file).imports:
            origin, member = source(file).imports[used]
            if origin in modules():
                named.add(origin)
            elif origin in files_of_tests():
                definitions.add((origin, member))
        elif used in source(file).definitions:
            definitions.add((file, used))
        elif isinstance(node, ast.arg) and (above := fixture(used, file)):
            definitions.add((above, used))
    return Uses(frozenset(named), frozenset(definitions), claims)


def asked_by_test(file: str, name: str) -> set[str]:
    """The modules that a test and all that it uses name; none if nothing of it claims anything."""
    waiting, seen = [(file, name)], {(file, name)}
    asked: set[str] = set()
    claims = False
    while waiting:
        found = uses(*waiting.pop())
        asked |= found.modules
        claims |= found.claims
        waiting += found.definitions - seen
        seen |= found.definitions
    return asked if claims else set()


@cache
def asked_by(file: str) -> frozenset[str]:
    """The modules that the tests of a file ask."""
    tests = (
        name
        for name, definition in source(file).definitions.items()
        if name.startswith("test_") and isinstance(definition, Function)
    )
    return frozenset[str]().union(*(asked_by_test(file, name) for name in tests))
