"""The devices that execution providers run on, as onnxruntime lists them: here there is one, the CPU.

Also which nodes a provider got, and what a model says of providers it was compiled for. Must not know
sessions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sardonyx.base.dataclass import dataclass, field
from sardonyx.ort.enums import NamedValue, members
from sardonyx.ort.exceptions import Fail, InvalidArgument, status
from sardonyx.ort.memory import OrtDeviceMemoryType, OrtMemoryInfo
from sardonyx.ort.providers import AVAILABLE_PROVIDERS
from sardonyx.version import __version__

if TYPE_CHECKING:
    from sardonyx.frontend.load import Source


class OrtHardwareDeviceType(NamedValue):
    """The kinds of devices."""

    __slots__ = ()
    CPU: ClassVar[OrtHardwareDeviceType]
    GPU: ClassVar[OrtHardwareDeviceType]
    NPU: ClassVar[OrtHardwareDeviceType]


class OrtDeviceEpIncompatibilityReason(NamedValue):
    """Why a provider cannot run on a device."""

    __slots__ = ()
    NONE: ClassVar[OrtDeviceEpIncompatibilityReason]
    DEVICE_INCOMPATIBLE: ClassVar[OrtDeviceEpIncompatibilityReason]


class OrtCompiledModelCompatibility(NamedValue):
    """Whether a compiled model fits a provider."""

    __slots__ = ()
    EP_NOT_APPLICABLE: ClassVar[OrtCompiledModelCompatibility]


members(OrtHardwareDeviceType, CPU=0, GPU=1, NPU=2)
members(
    OrtDeviceEpIncompatibilityReason,
    NONE=0,
    DRIVER_INCOMPATIBLE=1,
    DEVICE_INCOMPATIBLE=2,
    MISSING_DEPENDENCY=4,
    UNKNOWN=-(1 << 31),
)
members(
    OrtCompiledModelCompatibility,
    EP_NOT_APPLICABLE=0,
    EP_SUPPORTED_OPTIMAL=1,
    EP_SUPPORTED_PREFER_RECOMPILATION=2,
    EP_UNSUPPORTED=3,
)


@dataclass(frozen=True, slots=True)
class OrtHardwareDevice:
    """A processor."""

    type: OrtHardwareDeviceType
    vendor: str
    vendor_id: int
    device_id: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrtEpDevice:
    """A provider and the device it runs on."""

    ep_name: str
    ep_vendor: str
    device: OrtHardwareDevice
    ep_metadata: dict[str, str] = field(default_factory=dict)
    ep_options: dict[str, str] = field(default_factory=dict)

    def memory_info(self, memory_type: OrtDeviceMemoryType) -> OrtMemoryInfo:
        """Where its memory lies."""
        return OrtMemoryInfo()

    def create_sync_stream(self) -> NoReturn:
        """Refuse: the CPU runs in the order of calls."""
        raise status(Fail, "The CPU has no streams: a run has ended when it returns.")


@dataclass(frozen=True, slots=True)
class OrtEpAssignedNode:
    """A node that a provider runs."""

    name: str
    domain: str
    op_type: str


@dataclass(frozen=True, slots=True)
class OrtEpAssignedSubgraph:
    """Nodes that a provider runs together."""

    ep_name: str
    _nodes: tuple[OrtEpAssignedNode, ...]

    def get_nodes(self) -> list[OrtEpAssignedNode]:
        """The nodes."""
        return list(self._nodes)


_VENDORS = {"GenuineIntel": ("Intel", 0x8086), "AuthenticAMD": ("AMD", 0x1022)}


@cache
def _processor() -> OrtHardwareDevice:
    known = Path("/proc/cpuinfo")
    words = known.read_text(encoding="utf-8", errors="replace").split() if known.exists() else []
    name = next((words[n + 2] for n, word in enumerate(words[:-2]) if word == "vendor_id"), "")
    return OrtHardwareDevice(OrtHardwareDeviceType.CPU, *_VENDORS.get(name, (name or "unknown", 0)))


def get_hardware_devices() -> list[OrtHardwareDevice]:
    """The processor."""
    return [_processor()]


def get_ep_devices() -> list[OrtEpDevice]:
    """The CPU provider on the processor."""
    return [
        OrtEpDevice(name, "Sardonyx", _processor(), {"version": __version__}) for name in AVAILABLE_PROVIDERS
    ]


def get_hardware_device_ep_incompatibility_details(ep_name: str, device: OrtHardwareDevice) -> dict[str, Any]:
    """Why a provider cannot run on a device: nothing speaks against the CPU provider on the processor.

    Raises InvalidArgument for a provider that this package does not have.
    """
    if ep_name not in AVAILABLE_PROVIDERS:
        raise status(InvalidArgument, f"No valid factory found for execution provider '{ep_name}'.")
    fits = device.type == OrtHardwareDeviceType.CPU
    reason = OrtDeviceEpIncompatibilityReason
    found = reason.NONE if fits else reason.DEVICE_INCOMPATIBLE
    return {"reasons_bitmask": found.value, "notes": None, "error_code": 0}


def get_model_compatibility_for_ep_devices(
    devices: Sequence[OrtEpDevice], compatibility_info: str
) -> OrtCompiledModelCompatibility:
    """Not applicable: the CPU provider runs models from their ONNX form. RuntimeError without a device."""
    if not isinstance(compatibility_info, str):
        raise TypeError(f"the compatibility info must be a str, not {type(compatibility_info).__name__}")
    if not devices:
        raise RuntimeError("Invalid argument: at least one device is needed.")
    return OrtCompiledModelCompatibility.EP_NOT_APPLICABLE


def get_compatibility_info_from_model(model_path: str | os.PathLike[str], ep_type: str) -> str | None:
    """What a model file says of a provider it was compiled for. RuntimeError if it cannot be read."""
    if not os.fspath(model_path) or not Path(model_path).exists():
        raise RuntimeError(f"Load model {model_path} failed. File doesn't exist")
    return get_compatibility_info_from_model_bytes(Path(model_path).read_bytes(), ep_type)


def get_compatibility_info_from_model_bytes(model_data: bytes, ep_type: str) -> str | None:
    """What a model says of a provider it was compiled for. RuntimeError if it cannot be read."""
    from sardonyx.errors import LoadError
    from sardonyx.frontend import open_model

    if not model_data or not ep_type:
        raise RuntimeError("Invalid argument: neither the model nor the provider's name may be empty.")
    try:
        found = open_model(model_data).proto.metadata_props
    except LoadError as error:
        raise RuntimeError(str(error)) from error
    return next((p.value for p in found if p.key == f"ep_compatibility_info.{ep_type}"), None)


def assigned(source: Source) -> list[OrtEpAssignedSubgraph]:
    """Every node of a model's graph, each by itself: all run on the CPU."""
    nodes = [OrtEpAssignedNode(n.name, n.domain, n.op_type) for n in source.proto.graph.node]
    return [OrtEpAssignedSubgraph(AVAILABLE_PROVIDERS[0], (node,)) for node in nodes]
