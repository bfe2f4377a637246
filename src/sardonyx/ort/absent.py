"""Names of the onnxruntime API for things this package does not have.

Importing them works, so that libraries load; using them says what is missing and what to do instead. Must
not know anything of the engine.
"""

from __future__ import annotations

from typing import Any, NoReturn

from sardonyx.ort.exceptions import Fail, status

_PACKAGES = "model packages are not supported; give the .onnx file inside to InferenceSession"
_DEVICES = "there are no plug-in devices: every session runs on the CPU"
_WEIGHTS = "this helper of the quantisation tools does not exist; quantise with the onnxruntime package"

REASONS = {
    "ModelPackage": _PACKAGES,
    "ModelPackageComponentContext": _PACKAGES,
    "ModelPackageContext": _PACKAGES,
    "ModelPackageOptions": _PACKAGES,
    "ModelPackageWriteMode": _PACKAGES,
    "OrtEpContextData": _DEVICES,
    "OrtEpContextDataBuffer": _DEVICES,
    "OrtSyncStream": _DEVICES,
    "pack_fp4_weights_for_cuda_moe_gemm": _WEIGHTS,
    "quantize_matmul_bnb4": _WEIGHTS,
    "register_execution_provider_library": _DEVICES,
    "unregister_execution_provider_library": _DEVICES,
}
"""Why a name does not work, and what to do."""


class _Absent(type):
    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{cls.__name__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(cls.__name__)


def _refuse(name: str) -> NoReturn:
    raise status(Fail, f"{name} is not available: {REASONS[name.split('.')[0]]}.")


def __getattr__(name: str) -> Any:
    if name not in REASONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    doc = f"Not available: {REASONS[name]}."
    stand_in = _Absent(name, (), {"__doc__": doc, "__module__": __name__})
    globals()[name] = stand_in
    return stand_in
