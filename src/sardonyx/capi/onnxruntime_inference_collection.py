"""The module path under which existing code finds the session classes; nothing is decided here."""

from __future__ import annotations

from sardonyx.capi import onnxruntime_pybind11_state
from sardonyx.ort.binding import IOBinding
from sardonyx.ort.device import OrtDevice, OrtDeviceVendorId
from sardonyx.ort.memory import copy_tensors
from sardonyx.ort.ortvalue import OrtValue
from sardonyx.ort.providers import check_and_normalize_provider_args
from sardonyx.ort.session import InferenceSession, Session

__all__ = [
    "IOBinding",
    "InferenceSession",
    "OrtDevice",
    "OrtDeviceVendorId",
    "OrtValue",
    "Session",
    "check_and_normalize_provider_args",
    "copy_tensors",
]


def __getattr__(name: str) -> object:
    return getattr(onnxruntime_pybind11_state, name)
