"""The messages that an ONNX file is made of, without the package that defines them.

Importing that takes as long as compiling a small model, so its generated module is loaded alone; the classes
are the same as the package's. Must not know what messages mean.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        ModelProto,
        NodeProto,
        TensorProto,
        TypeProto,
        ValueInfoProto,
    )

__all__ = [
    "AttributeProto",
    "FunctionProto",
    "ModelProto",
    "NodeProto",
    "TensorProto",
    "TypeProto",
    "ValueInfoProto",
]

_KNOWN_IR_VERSION = 14
_GENERATED = "onnx_ml_pb2"


def _generated() -> Any:
    package = find_spec("onnx") if "onnx" not in sys.modules else None
    folders = package.submodule_search_locations if package is not None else None
    file = Path(folders[0]) / f"{_GENERATED}.py" if folders else None
    spec = spec_from_file_location(f"{__name__}.{_GENERATED}", file) if file and file.exists() else None
    if spec is None or spec.loader is None:
        return importlib.import_module(f"onnx.{_GENERATED}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_found = _generated()
globals().update({name: getattr(_found, name) for name in __all__})
NEWEST_IR_VERSION: int = max(_KNOWN_IR_VERSION, *_found.Version.values())
"""The newest form of a file that is read: what was known here, or what the installed package knows."""
