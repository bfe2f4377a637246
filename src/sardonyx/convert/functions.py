"""Sources that are functions, as package.module:function: which framework they are of, and calling them.

The framework is seen in the imports of the module's text; the module is run by a worker alone.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks import FRAMEWORKS

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
IMPORTS = re.compile(r"^\s*(?:import|from)\s+([A-Za-z_]\w*)", re.MULTILINE)


def is_function(source: str) -> bool:
    """Whether the source is not a file and reads like a function's name."""
    return not Path(source).exists() and FUNCTION.fullmatch(source) is not None


def kind_of_function(source: str) -> str:
    """The kind whose framework the function's module imports first; torch if none is seen."""
    name = source.partition(":")[0]
    for folder in ("", *sys.path):
        base = Path(folder or ".").joinpath(*name.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return _kind_of_text(path.read_text(encoding="utf-8", errors="replace"))
    return "torch"


def _kind_of_text(text: str) -> str:
    for root in IMPORTS.findall(text):
        for row in FRAMEWORKS.values():
            if root in row.roots:
                return row.kind
    return "torch"


def files_of(source: str) -> tuple[str, ...]:
    """The file of the function's module, once it is imported."""
    file = getattr(sys.modules.get(source.partition(":")[0]), "__file__", None)
    return (file,) if file else ()


def called(source: str) -> Any:
    """What the function returns, or the object of that name if it is not a plain function or class."""
    name, _, attribute = source.partition(":")
    sys.path.insert(0, "")
    try:
        made: Any = importlib.import_module(name)
        for part in attribute.split("."):
            made = getattr(made, part)
    except ModuleNotFoundError as error:
        raise ConvertError(f"{source}: no module {error.name!r} can be imported from here") from error
    except AttributeError as error:
        raise ConvertError(f"{source}: {error}") from error
    is_maker = isinstance(made, type) or type(made).__name__ == "function"
    return made() if is_maker else made
