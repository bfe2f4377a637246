"""The ONNX operators; importing a module of this folder registers its operators."""

from __future__ import annotations

import importlib
import pkgutil


def register_all() -> None:
    """Import every file of this folder, so that `registry.lookup` knows all operators."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
