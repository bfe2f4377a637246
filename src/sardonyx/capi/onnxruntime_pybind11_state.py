"""The module path under which existing code finds exceptions, options and values; nothing is decided here."""

from __future__ import annotations

import importlib

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

_ELSEWHERE = {
    "runtime.blockwise": (
        "quantize_matmul_2bits",
        "quantize_matmul_4bits",
        "quantize_matmul_8bits",
        "quantize_qdq_matmul_2bits",
        "quantize_qdq_matmul_4bits",
    ),
    "ort.adapter": ("AdapterFormat", "LoraAdapter"),
    "ort.binding": ("IOBinding",),
    "ort.device": ("OrtDevice", "OrtDeviceVendorId"),
    "ort.enums": ("ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel"),
    "ort.environment": (
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
    "ort.hardware": (
        "OrtCompiledModelCompatibility",
        "OrtDeviceEpIncompatibilityReason",
        "OrtEpAssignedNode",
        "OrtEpAssignedSubgraph",
        "OrtEpDevice",
        "OrtHardwareDevice",
        "OrtHardwareDeviceType",
        "get_compatibility_info_from_model",
        "get_compatibility_info_from_model_bytes",
        "get_ep_devices",
        "get_hardware_device_ep_incompatibility_details",
        "get_hardware_devices",
        "get_model_compatibility_for_ep_devices",
    ),
    "ort.logger": (
        "set_default_logger_callback",
        "set_default_logger_severity",
        "set_default_logger_verbosity",
    ),
    "ort.memory": (
        "ArenaExtendStrategy",
        "OrtAllocatorType",
        "OrtArenaCfg",
        "OrtDeviceMemoryType",
        "OrtExecutionProviderDevicePolicy",
        "OrtMemType",
        "OrtMemoryInfo",
        "OrtMemoryInfoDeviceType",
        "OrtValueVector",
        "copy_tensors",
        "create_and_register_allocator",
        "create_and_register_allocator_v2",
    ),
    "ort.metadata": ("ModelMetadata", "NodeArg"),
    "ort.model_compiler": ("OrtCompileApiFlags", "OrtExternalInitializerInfo"),
    "ort.options": ("RunOptions", "SessionOptions"),
    "ort.native": ("SessionIOBinding",),
    "ort.ortvalue": ("OrtValue", "is_dlpack_uint8_tensor"),
    "ort.session": ("InferenceSession",),
    "ort.sparse": ("OrtSparseFormat", "SparseTensor"),
}


def __getattr__(name: str) -> object:
    for module, names in _ELSEWHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"sardonyx.{module}"), name)
    absent = importlib.import_module("sardonyx.ort.absent")
    if name in absent.REASONS:
        return getattr(absent, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
