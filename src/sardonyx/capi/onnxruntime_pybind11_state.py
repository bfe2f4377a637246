"""The exceptions of the onnxruntime API, and under this module path its option and value classes.

Decides the text form of a status; must not know the engine.
"""

# ruff: noqa: N818

from __future__ import annotations

import importlib


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
_PREFIX = {cls: f"[ONNXRuntimeError] : {code} : {name} : " for cls, code, name in STATUS}


def status(cls: type[Exception], message: str) -> Exception:
    """An exception of one of the classes above with the text `[ONNXRuntimeError] : code : NAME : message`."""
    return cls(_PREFIX[cls] + message)


_ELSEWHERE = {
    "absent": ("get_ep_devices", "get_hardware_devices"),
    "blockwise": (
        "quantize_matmul_2bits",
        "quantize_matmul_4bits",
        "quantize_matmul_8bits",
        "quantize_qdq_matmul_2bits",
        "quantize_qdq_matmul_4bits",
    ),
    "binding": ("IOBinding", "SessionIOBinding"),
    "enums": ("ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel"),
    "environment": (
        "disable_telemetry_events",
        "enable_telemetry_events",
        "get_all_providers",
        "get_available_providers",
        "get_build_info",
        "get_default_session_options",
        "get_device",
        "get_version_string",
        "has_collective_ops",
        "set_global_thread_pool_sizes",
        "set_seed",
    ),
    "logger": ("set_default_logger_callback", "set_default_logger_severity", "set_default_logger_verbosity"),
    "memory": (
        "OrtAllocatorType",
        "OrtArenaCfg",
        "OrtDeviceMemoryType",
        "OrtDeviceVendorId",
        "OrtExecutionProviderDevicePolicy",
        "OrtMemType",
        "OrtMemoryInfo",
        "OrtValueVector",
        "copy_tensors",
        "create_and_register_allocator",
        "create_and_register_allocator_v2",
    ),
    "metadata": ("ModelMetadata", "NodeArg"),
    "options": ("RunOptions", "SessionOptions"),
    "ortvalue": ("OrtDevice", "OrtValue"),
    "session": ("InferenceSession",),
    "sparse": ("OrtSparseFormat", "SparseTensor"),
}


def __getattr__(name: str) -> object:
    for module, names in _ELSEWHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"sardonyx.runtime.{module}"), name)
    absent = importlib.import_module("sardonyx.runtime.absent")
    if name in absent.REASONS:
        return getattr(absent, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
