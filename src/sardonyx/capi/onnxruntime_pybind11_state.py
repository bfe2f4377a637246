"""The module path under which existing code finds exceptions, options and values; nothing is decided here."""

from __future__ import annotations

from sardonyx.base.lazy import lazy
from sardonyx.ort.exceptions import (
    STATUS,
    DeviceReset,
    EngineError,
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    ModelLoadCanceled,
    ModelLoaded,
    ModelRequiresCompilation,
    NoModel,
    NoSuchFile,
    NotFound,
    NotImplemented,
    RuntimeException,
    status,
)
from sardonyx.ort.names import PUBLIC, STATE

__all__ = [
    "STATUS",
    "DeviceReset",
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoadCanceled",
    "ModelLoaded",
    "ModelRequiresCompilation",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
    "status",
]

__getattr__ = lazy(__name__, PUBLIC, STATE, within="sardonyx")
