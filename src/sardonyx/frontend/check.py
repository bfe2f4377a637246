"""Asks ONNX's own checker about a model file. Must not know what the engine makes of it.

The checker is compiled and needs nothing of the package around it, whose import takes longer than all else
that is done to register a small model; so it is loaded alone.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

from google.protobuf.message import DecodeError

from sardonyx.errors import LoadError

_COMPILED = "onnx.onnx_cpp2py_export"


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise LoadError with the checker's words if the model breaks the ONNX standard."""
    checker = _checker()
    try:
        checker.check_model_path(os.fspath(path), False, False, False)
    except (checker.ValidationError, DecodeError) as error:
        raise LoadError(str(error).strip(), kind="graph") from error


def _checker() -> Any:
    if "onnx" not in sys.modules and _COMPILED not in sys.modules:
        _load_alone()
    return import_module(f"{_COMPILED}.checker")


def _load_alone() -> None:
    """Load the compiled module where the package will find it; nothing if it does not lie there as a file."""
    package = find_spec("onnx")
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec(_COMPILED, folders) if folders else None
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_COMPILED] = module
