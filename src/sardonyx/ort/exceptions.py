"""The exceptions of the onnxruntime API, one for each of its status codes.

Decides the text form of a status; must not know the engine.
"""

# ruff: noqa: N818

from __future__ import annotations


class Fail(Exception):
    """1: the model or a kernel failed."""


class InvalidArgument(Exception):
    """2: a name, type or shape given by the caller does not fit the model."""


class NoSuchFile(Exception):
    """3: the model file does not exist."""


class NoModel(Exception):
    """4: there is no model."""


class EngineError(Exception):
    """5: an execution engine reported an error."""


class RuntimeException(Exception):
    """6: an unexpected failure at run time."""


class InvalidProtobuf(Exception):
    """7: the bytes are not a serialised ONNX model."""


class ModelLoaded(Exception):
    """8: the model is loaded already."""


class NotImplemented(Exception):
    """9: an operator or type has no implementation."""


class InvalidGraph(Exception):
    """10: the graph breaks the rules of ONNX."""


class EPFail(Exception):
    """11: an execution provider failed."""


class ModelLoadCanceled(Exception):
    """12: loading was cancelled by the caller."""


class ModelRequiresCompilation(Exception):
    """13: the model must be compiled first and the options forbid it."""


class NotFound(Exception):
    """14: a named thing does not exist."""


class DeviceReset(Exception):
    """15: the device was reset."""


STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (Fail, 1, "FAIL"),
    (InvalidArgument, 2, "INVALID_ARGUMENT"),
    (NoSuchFile, 3, "NO_SUCHFILE"),
    (NoModel, 4, "NO_MODEL"),
    (EngineError, 5, "ENGINE_ERROR"),
    (RuntimeException, 6, "RUNTIME_EXCEPTION"),
    (InvalidProtobuf, 7, "INVALID_PROTOBUF"),
    (ModelLoaded, 8, "MODEL_LOADED"),
    (NotImplemented, 9, "NOT_IMPLEMENTED"),
    (InvalidGraph, 10, "INVALID_GRAPH"),
    (EPFail, 11, "EP_FAIL"),
    (ModelLoadCanceled, 12, "MODEL_LOAD_CANCELED"),
    (ModelRequiresCompilation, 13, "MODEL_REQUIRES_COMPILATION"),
    (NotFound, 14, "NOT_FOUND"),
    (DeviceReset, 15, "DEVICE_RESET"),
)
# Existing code and pickles find the classes under the path that onnxruntime gives them.
for _row in STATUS:
    _row[0].__module__ = "sardonyx.capi.onnxruntime_pybind11_state"

_PREFIX = {cls: f"[ONNXRuntimeError] : {code} : {name} : " for cls, code, name in STATUS}


def status(cls: type[Exception], message: str) -> Exception:
    """An exception of one of the classes above with the text `[ONNXRuntimeError] : code : NAME : message`."""
    return cls(_PREFIX[cls] + message)
