"""Names of a module that live in other modules, which are imported when a name is first used.

Decides what is said of a distribution that is missing then. Must not know any of the names.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence

from sardonyx.base.garbage import uncollected


def lazy(
    module: str, *tables: Mapping[str, Sequence[str]], within: str = "", needed: str = ""
) -> Callable[[str], object]:
    """The `__getattr__` of a module whose names live elsewhere.

    Args:
        module: the full name of the module, which keeps what it has found.
        tables: the names by the module that holds them.
        within: the package that the keys of the tables are in; the module itself if not given.
        needed: how the message of an ImportError goes on, of a distribution that is not installed:
            `"{} is needed to train"`; without it the error is Python's own.

    Its errors are AttributeError for a name without a home, and what the home's import raises.
    """
    homes = {name: home for table in tables for home, names in table.items() for name in names}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value: object = getattr(_imported(f"{within or module}.{homes[name]}", needed), name)
        setattr(sys.modules[module], name, value)
        return value

    return find


def _imported(name: str, needed: str) -> object:
    try:
        with uncollected():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not needed or (error.name or "").startswith("sardonyx"):
            raise
        raise ImportError(needed.format(error.name), name=error.name) from error
