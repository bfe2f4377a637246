"""The messages that an ONNX file is made of, without the package that defines them.

Importing that takes as long as compiling a small model, so the classes are made of what its generated module
describes; they are the same as the package's. Must not know what messages mean.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from google.protobuf.internal import api_implementation
from google.protobuf.message import Message

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        GraphProto,
        ModelProto,
        NodeProto,
        TensorProto,
        TypeProto,
        ValueInfoProto,
    )

__all__ = [
    "AttributeProto",
    "FunctionProto",
    "GraphProto",
    "ModelProto",
    "NodeProto",
    "TensorProto",
    "TypeProto",
    "ValueInfoProto",
]

_KNOWN_IR_VERSION = 14
_GENERATED = "onnx_ml_pb2"


def _file() -> Path | None:
    """The generated module of the package; None if that is loaded already, or not as files."""
    package = find_spec("onnx") if "onnx" not in sys.modules else None
    folders = package.submodule_search_locations if package is not None else None
    file = Path(folders[0]) / f"{_GENERATED}.py" if folders else None
    return file if file is not None and file.exists() else None


def _generated() -> Mapping[str, Any]:
    """The classes of messages by name."""
    file = _file()
    if file is None:
        return vars(importlib.import_module(f"onnx.{_GENERATED}"))
    loader = SourceFileLoader(f"{__name__}.{_GENERATED}", str(file))
    if made := _described(loader.get_code(loader.name)):
        return made
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return vars(module)


def _described(code: CodeType | None) -> Mapping[str, Any]:
    """The classes of the file that the code of a generated module describes, without running it.

    That would import what makes classes in Python and writes messages as text, neither of which is used where
    classes are made natively. Empty if they are not, or if the code is unlike what is known.
    """
    contents = [c for c in code.co_consts if isinstance(c, bytes)] if code is not None else []
    if api_implementation.Type() != "upb" or not contents:
        return {}
    try:
        from google._upb._message import MessageMeta, default_pool

        types = default_pool.AddSerializedFile(max(contents, key=len)).message_types_by_name
    except (AttributeError, ImportError, TypeError):
        return {}
    return _classes(MessageMeta, types)


def _classes(meta: Any, types: Mapping[str, Any], within: str = "") -> Mapping[str, Any]:
    """A class for each type of message, those inside them as their attributes."""
    found = {}
    for name, described in types.items():
        inner = _classes(meta, described.nested_types_by_name, f"{within}{name}.")
        facts = {"__module__": f"onnx.{_GENERATED}", "__qualname__": f"{within}{name}"}
        found[name] = meta(name, (Message,), {**inner, **facts, "DESCRIPTOR": described})
    return found


_found = _generated()
globals().update({name: _found[name] for name in __all__})
_versions = _found["ModelProto"].DESCRIPTOR.file.enum_types_by_name["Version"].values
NEWEST_IR_VERSION: int = max(_KNOWN_IR_VERSION, *(version.number for version in _versions))
"""The newest form of a file that is read: what was known here, or what the installed package knows."""
