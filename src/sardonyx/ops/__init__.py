"""The ONNX operators; importing a module of this folder registers its operators."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache


@cache
def register_all() -> None:
    """Import every file below this folder once, so that `table.lookup` knows all operators."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
