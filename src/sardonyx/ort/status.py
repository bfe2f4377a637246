"""The one table from errors of the engine to the exceptions of the API.

Must not know where an error came from beyond its class and kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sardonyx.errors import (
    TOO_DEEP,
    CompileError,
    LoadError,
    RunError,
    SardonyxError,
    ShapeError,
    TargetError,
    UnsupportedOp,
)
from sardonyx.ort import exceptions as api
from sardonyx.ort.exceptions import status
from sardonyx.runtime import allocate

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
    (TargetError, "", api.RuntimeException),
    (RunError, "bounds", api.InvalidArgument),
    (RunError, "memory", api.RuntimeException),
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
    if isinstance(error, OSError):
        return status(api.Fail, f"{where}{type(error).__name__}: {error}")
    known = _known(error)
    return status(exception_class(known), f"{where}{known}")


def run_status(error: Exception) -> Exception:
    """The exception for a failed run: one of the API as it is, another one by its class.

    Kernels may name their operator as `op` and `node`.
    """
    if isinstance(error, _OF_THE_API):
        return error
    op, node = getattr(error, "op", ""), getattr(error, "node", "")
    where = f"running {op} node. Name:'{node}'" if op else "running the model."
    known = _known(error)
    message = f"Non-zero status code returned while {where} Status Message: {known}"
    return status(exception_class(known), message)


_OF_THE_API = tuple(cls for cls, _, _ in api.STATUS)


def _known(error: Exception) -> SardonyxError:
    """An error of the engine as it is; short memory, a raised warning, or a fault of ours, as one."""
    if isinstance(error, SardonyxError):
        return error
    if isinstance(error, MemoryError):
        what = str(error) or f"{allocate.available_bytes()} bytes are left"
        return RunError(f"there is not enough memory: {what}", kind="memory")
    if isinstance(error, RecursionError):
        return ShapeError(TOO_DEEP)
    if isinstance(error, Warning):
        return SardonyxError(f"{error} (Python was told to raise {type(error).__name__} as an error)")
    return CompileError(
        f"this is a fault of the engine, please report it with the model: {type(error).__name__}: {error}"
    )
