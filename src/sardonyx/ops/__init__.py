"""The ONNX operators; importing a module of this folder registers its operators."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path

HOMES = Path(__file__).with_name("homes.json")
"""Which file below this folder registers an operator, by domain and name; `make docs` writes it."""


def register(domain: str, name: str) -> None:
    """Import the file of an operator, or all of them if none is known to have it."""
    home = _homes().get(domain, {}).get(name)
    if home is None:
        register_all()
    else:
        importlib.import_module(f"{__name__}.{home}")


@cache
def register_all() -> None:
    """Import every file below this folder, so that `table.lookup` knows all operators."""
    import pkgutil

    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)


@cache
def _homes() -> dict[str, dict[str, str]]:
    homes: dict[str, dict[str, str]] = json.loads(HOMES.read_text(encoding="utf-8"))
    return homes
