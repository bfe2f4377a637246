"""The one table from errors of the engine to the exceptions of the API.

Must not know where an error came from beyond its class and kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sardonyx.capi import onnxruntime_pybind11_state as api
from sardonyx.capi.onnxruntime_pybind11_state import status
from sardonyx.errors import CompileError, LoadError, RunError, SardonyxError, ShapeError, UnsupportedOp

TABLE: tuple[tuple[type[SardonyxError], str, type[Exception]], ...] = (
    (LoadError, "protobuf", api.InvalidProtobuf),
    (LoadError, "empty", api.InvalidArgument),
    (LoadError, "undefined", api.InvalidArgument),
    (LoadError, "graph", api.InvalidGraph),
    (LoadError, "", api.Fail),
    (UnsupportedOp, "unknown", api.InvalidGraph),
    (UnsupportedOp, "", api.NotImplemented),
    (ShapeError, "", api.Fail),
    (CompileError, "", api.RuntimeException),
    (RunError, "bounds", api.InvalidArgument),
    (RunError, "", api.Fail),
    (SardonyxError, "", api.Fail),
)
"""(class, kind, exception); the first row whose class fits and whose kind is the error's or empty decides."""


def exception_class(error: SardonyxError) -> type[Exception]:
    """The API exception that stands for an engine error; an error that only adds a place keeps the kind."""
    kinds = {"", *(cause.kind for cause in _causes(error) if isinstance(cause, SardonyxError))}
    return next(api_class for cls, kind, api_class in TABLE if isinstance(error, cls) and kind in kinds)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def load_status(error: Exception, path: str | None) -> Exception:
    """The exception for a failed load of `path` (None = bytes)."""
    where = f"Load model from {path} failed:" if path is not None else "Failed to load model: "
    for cause in _causes(error):
        if isinstance(cause, IsADirectoryError):
            return status(api.InvalidProtobuf, f"{where}Protobuf parsing failed: it is a folder, not a model")
        if isinstance(cause, FileNotFoundError) and path and Path(str(cause.filename)) == Path(path):
            return status(api.NoSuchFile, f"{where}Load model {path} failed. File doesn't exist")
    if isinstance(error, SardonyxError):
        return status(exception_class(error), f"{where}{error}")
    return status(api.Fail, f"{where}{type(error).__name__}: {error}")


def run_status(error: SardonyxError) -> Exception:
    """The exception for a failed run; kernels may name their operator as `op` and `node`."""
    op, node = getattr(error, "op", ""), getattr(error, "node", "")
    where = f"running {op} node. Name:'{node}'" if op else "running the model."
    message = f"Non-zero status code returned while {where} Status Message: {error}"
    return status(exception_class(error), message)
