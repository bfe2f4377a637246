"""What checks of sources ask of a file, from one parse of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sardonyx.base.garbage import uncollected

TESTS = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Parsed:
    """The facts about a file; its tree, which is large, is kept of files of tests alone.

    Attributes:
        functions: name and number of lines of each.
        silent: the numbers of lines that say nothing: of imports and signatures.
        decides: whether some function does anything.
    """

    functions: tuple[tuple[str, int], ...]
    silent: frozenset[int]
    decides: bool
    tree: ast.Module | None


@cache
def parsed(path: Path) -> Parsed:
    with uncollected():
        tree = ast.parse(path.read_text(encoding="utf-8"))
    functions: list[tuple[str, int]] = []
    silent: set[int] = set()
    for node in statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            silent.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, Function):
            assert node.end_lineno is not None
            functions.append((node.name, node.end_lineno - node.lineno + 1))
            silent.update(range(node.lineno, node.body[0].lineno))
    decides = any(_acts(node) for node in ast.walk(tree) if isinstance(node, Function | ast.Lambda))
    return Parsed(tuple(functions), frozenset(silent), decides, tree if TESTS in path.parents else None)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, and what holds statements: far fewer nodes than all."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            value = getattr(node, field, None)
            waiting += value if isinstance(value, list) else []


def _acts(function: Function | ast.Lambda) -> bool:
    """Whether a function is more than a docstring, as those of protocols are."""
    if isinstance(function, ast.Lambda):
        return True
    return not all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in function.body)
