"""Run ONNX models compiled to native code; the names of onnxruntime's Python API.

Only public names, imported when they are first used, so that `import sardonyx` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sardonyx.base.lazy import lazy
from sardonyx.ort.names import PUBLIC
from sardonyx.version import __version__

if TYPE_CHECKING:
    from sardonyx import backend, capi, datasets, errors
    from sardonyx.alias import as_onnxruntime
    from sardonyx.ir.value import Value
    from sardonyx.ort.adapter import AdapterFormat, LoraAdapter
    from sardonyx.ort.binding import IOBinding
    from sardonyx.ort.custom import TensorType, op
    from sardonyx.ort.device import OrtDevice, OrtDeviceVendorId
    from sardonyx.ort.enums import ExecutionMode, ExecutionOrder, GraphOptimizationLevel
    from sardonyx.ort.environment import (
        disable_telemetry_events,
        enable_telemetry_events,
        get_all_providers,
        get_available_providers,
        get_build_info,
        get_device,
        get_version_string,
        has_collective_ops,
        preload_dlls,
        print_debug_info,
        set_global_thread_pool_sizes,
        set_seed,
    )
    from sardonyx.ort.hardware import (
        OrtEpAssignedNode,
        OrtEpAssignedSubgraph,
        OrtEpDevice,
        OrtHardwareDevice,
        OrtHardwareDeviceType,
        get_ep_devices,
    )
    from sardonyx.ort.logger import (
        set_default_logger_callback,
        set_default_logger_severity,
        set_default_logger_verbosity,
    )
    from sardonyx.ort.memory import (
        OrtAllocatorType,
        OrtArenaCfg,
        OrtDeviceMemoryType,
        OrtExecutionProviderDevicePolicy,
        OrtMemoryInfo,
        OrtMemoryInfoDeviceType,
        OrtMemType,
        copy_tensors,
        create_and_register_allocator,
        create_and_register_allocator_v2,
    )
    from sardonyx.ort.metadata import ModelMetadata, NodeArg
    from sardonyx.ort.model_compiler import ModelCompiler, OrtCompileApiFlags, OrtExternalInitializerInfo
    from sardonyx.ort.native import SessionIOBinding
    from sardonyx.ort.options import RunOptions, SessionOptions
    from sardonyx.ort.ortvalue import OrtValue
    from sardonyx.ort.session import InferenceSession
    from sardonyx.ort.sparse import OrtSparseFormat, SparseTensor

__all__ = [
    "AdapterFormat",
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "LoraAdapter",
    "ModelCompiler",
    "ModelMetadata",
    "NodeArg",
    "OrtAllocatorType",
    "OrtArenaCfg",
    "OrtCompileApiFlags",
    "OrtDevice",
    "OrtDeviceMemoryType",
    "OrtDeviceVendorId",
    "OrtEpAssignedNode",
    "OrtEpAssignedSubgraph",
    "OrtEpDevice",
    "OrtExecutionProviderDevicePolicy",
    "OrtExternalInitializerInfo",
    "OrtHardwareDevice",
    "OrtHardwareDeviceType",
    "OrtMemType",
    "OrtMemoryInfo",
    "OrtMemoryInfoDeviceType",
    "OrtSparseFormat",
    "OrtValue",
    "RunOptions",
    "SessionIOBinding",
    "SessionOptions",
    "SparseTensor",
    "TensorType",
    "Value",
    "__version__",
    "as_onnxruntime",
    "backend",
    "capi",
    "copy_tensors",
    "create_and_register_allocator",
    "create_and_register_allocator_v2",
    "datasets",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "errors",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "get_ep_devices",
    "get_version_string",
    "has_collective_ops",
    "op",
    "preload_dlls",
    "print_debug_info",
    "set_default_logger_callback",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_global_thread_pool_sizes",
    "set_seed",
]

_MODULES = ("backend", "capi", "datasets", "errors")
_named = lazy(
    __name__,
    *(PUBLIC, {"alias": ("as_onnxruntime",), "ir.value": ("Value",), "ort.custom": ("TensorType", "op")}),
)


def __getattr__(name: str) -> object:
    return importlib.import_module(f"{__name__}.{name}") if name in _MODULES else _named(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
