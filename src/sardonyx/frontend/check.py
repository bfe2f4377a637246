"""Asks ONNX's own checker about a model file. Must not know what the engine makes of it."""

from __future__ import annotations

import os

import onnx
from google.protobuf.message import DecodeError

from sardonyx.errors import LoadError


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise LoadError with the checker's words if the model breaks the ONNX standard."""
    try:
        onnx.checker.check_model(os.fspath(path))
    except (onnx.checker.ValidationError, DecodeError) as error:
        raise LoadError(str(error).strip(), kind="graph") from error
