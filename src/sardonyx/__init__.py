"""Run ONNX models compiled to native code; the names of onnxruntime's Python API.

Only public names, imported when they are first used, so that `import sardonyx` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

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

_HOMES = {
    "alias": ("as_onnxruntime",),
    "ort.custom": ("TensorType", "op"),
    "ir.value": ("Value",),
    "ort.adapter": ("AdapterFormat", "LoraAdapter"),
    "ort.binding": ("IOBinding",),
    "ort.device": ("OrtDevice", "OrtDeviceVendorId"),
    "ort.enums": ("ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel"),
    "ort.logger": (
        "set_default_logger_callback",
        "set_default_logger_severity",
        "set_default_logger_verbosity",
    ),
    "ort.hardware": (
        "OrtEpAssignedNode",
        "OrtEpAssignedSubgraph",
        "OrtEpDevice",
        "OrtHardwareDevice",
        "OrtHardwareDeviceType",
        "get_ep_devices",
    ),
    "ort.memory": (
        "OrtAllocatorType",
        "OrtArenaCfg",
        "OrtDeviceMemoryType",
        "OrtExecutionProviderDevicePolicy",
        "OrtMemType",
        "OrtMemoryInfo",
        "OrtMemoryInfoDeviceType",
        "copy_tensors",
        "create_and_register_allocator",
        "create_and_register_allocator_v2",
    ),
    "ort.metadata": ("ModelMetadata", "NodeArg"),
    "ort.model_compiler": ("ModelCompiler", "OrtCompileApiFlags", "OrtExternalInitializerInfo"),
    "ort.options": ("RunOptions", "SessionOptions"),
    "ort.native": ("SessionIOBinding",),
    "ort.ortvalue": ("OrtValue",),
    "ort.session": ("InferenceSession",),
    "ort.sparse": ("OrtSparseFormat", "SparseTensor"),
    "ort.environment": (
        "disable_telemetry_events",
        "enable_telemetry_events",
        "get_all_providers",
        "get_available_providers",
        "get_build_info",
        "get_device",
        "get_version_string",
        "has_collective_ops",
        "preload_dlls",
        "print_debug_info",
        "set_global_thread_pool_sizes",
        "set_seed",
    ),
}
_MODULES = ("backend", "capi", "datasets", "errors")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"sardonyx.{name}")
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(f"sardonyx.{home}"), name)
            globals()[name] = value
            return value
    if name[:1].isalpha():
        absent = importlib.import_module("sardonyx.ort.absent")
        if name in absent.REASONS:
            return getattr(absent, name)
    raise AttributeError(f"module 'sardonyx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
