"""Where each name of onnxruntime's API lives, by the module of this package that holds it.

Read by the package itself and by the module paths of `capi`; a name is said here once.
"""

from __future__ import annotations

PUBLIC: dict[str, tuple[str, ...]] = {
    "ort.absent": (
        "ModelPackage",
        "ModelPackageComponentContext",
        "ModelPackageContext",
        "ModelPackageOptions",
        "ModelPackageWriteMode",
        "OrtEpContextData",
        "OrtEpContextDataBuffer",
        "OrtSyncStream",
        "pack_fp4_weights_for_cuda_moe_gemm",
        "quantize_matmul_bnb4",
        "register_execution_provider_library",
        "unregister_execution_provider_library",
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
        "get_device",
        "get_version_string",
        "has_collective_ops",
        "preload_dlls",
        "print_debug_info",
        "set_global_thread_pool_sizes",
        "set_seed",
    ),
    "ort.hardware": (
        "OrtEpAssignedNode",
        "OrtEpAssignedSubgraph",
        "OrtEpDevice",
        "OrtHardwareDevice",
        "OrtHardwareDeviceType",
        "get_ep_devices",
    ),
    "ort.logger": (
        "set_default_logger_callback",
        "set_default_logger_severity",
        "set_default_logger_verbosity",
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
    "ort.native": ("SessionIOBinding",),
    "ort.options": ("RunOptions", "SessionOptions"),
    "ort.ortvalue": ("OrtValue",),
    "ort.session": ("InferenceSession",),
    "ort.sparse": ("OrtSparseFormat", "SparseTensor"),
}
"""Names of the package and of its module paths."""

STATE: dict[str, tuple[str, ...]] = {
    "ort.environment": ("get_default_session_options",),
    "ort.hardware": (
        "OrtCompiledModelCompatibility",
        "OrtDeviceEpIncompatibilityReason",
        "get_compatibility_info_from_model",
        "get_compatibility_info_from_model_bytes",
        "get_hardware_device_ep_incompatibility_details",
        "get_hardware_devices",
        "get_model_compatibility_for_ep_devices",
    ),
    "ort.memory": ("ArenaExtendStrategy", "OrtValueVector"),
    "ort.ortvalue": ("is_dlpack_uint8_tensor",),
    "runtime.blockwise": (
        "quantize_matmul_2bits",
        "quantize_matmul_4bits",
        "quantize_matmul_8bits",
        "quantize_qdq_matmul_2bits",
        "quantize_qdq_matmul_4bits",
    ),
}
"""Names of the module paths alone."""
