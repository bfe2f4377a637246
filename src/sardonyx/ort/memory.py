"""Memory and arena descriptions of the onnxruntime API. Only CPU memory exists, and it needs no arena here.

Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sardonyx.ort.enums import NamedValue, members
from sardonyx.ort.options import as_int
from sardonyx.ort.ortvalue import OrtValue


class OrtAllocatorType(NamedValue):
    """How memory is taken."""

    __slots__ = ()
    INVALID: ClassVar[OrtAllocatorType]
    ORT_DEVICE_ALLOCATOR: ClassVar[OrtAllocatorType]
    ORT_ARENA_ALLOCATOR: ClassVar[OrtAllocatorType]


class OrtMemType(NamedValue):
    """What memory is for."""

    __slots__ = ()
    CPU_INPUT: ClassVar[OrtMemType]
    CPU_OUTPUT: ClassVar[OrtMemType]
    CPU: ClassVar[OrtMemType]
    DEFAULT: ClassVar[OrtMemType]


class OrtDeviceMemoryType(NamedValue):
    """Who can reach memory."""

    __slots__ = ()
    DEFAULT: ClassVar[OrtDeviceMemoryType]
    HOST_ACCESSIBLE: ClassVar[OrtDeviceMemoryType]


class OrtMemoryInfoDeviceType(NamedValue):
    """The kinds of devices that have memory."""

    __slots__ = ()
    CPU: ClassVar[OrtMemoryInfoDeviceType]
    GPU: ClassVar[OrtMemoryInfoDeviceType]
    FPGA: ClassVar[OrtMemoryInfoDeviceType]
    NPU: ClassVar[OrtMemoryInfoDeviceType]


class ArenaExtendStrategy(NamedValue):
    """How an arena grows."""

    __slots__ = ()
    kNextPowerOfTwo: ClassVar[ArenaExtendStrategy]  # noqa: N815 - onnxruntime's name
    kSameAsRequested: ClassVar[ArenaExtendStrategy]  # noqa: N815


class OrtExecutionProviderDevicePolicy(NamedValue):
    """Which device a session prefers; there is only the CPU."""

    __slots__ = ()
    DEFAULT: ClassVar[OrtExecutionProviderDevicePolicy]


members(OrtAllocatorType, INVALID=-1, ORT_DEVICE_ALLOCATOR=0, ORT_ARENA_ALLOCATOR=1)
members(OrtMemType, CPU_INPUT=-2, CPU_OUTPUT=-1, CPU=-1, DEFAULT=0)
members(OrtDeviceMemoryType, DEFAULT=0, HOST_ACCESSIBLE=5)
members(OrtMemoryInfoDeviceType, CPU=0, GPU=1, FPGA=2, NPU=3)
members(ArenaExtendStrategy, kNextPowerOfTwo=0, kSameAsRequested=1)
members(
    OrtExecutionProviderDevicePolicy,
    DEFAULT=0,
    PREFER_CPU=1,
    PREFER_NPU=2,
    PREFER_GPU=3,
    MAX_PERFORMANCE=4,
    MAX_EFFICIENCY=5,
    MIN_OVERALL_POWER=6,
)


class OrtMemoryInfo:
    """Where memory lies."""

    __slots__ = ("allocator_type", "device_id", "device_mem_type", "device_vendor_id", "mem_type", "name")

    def __init__(
        self,
        name: str = "Cpu",
        allocator_type: OrtAllocatorType = OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        device_id: int = 0,
        mem_type: OrtMemType = OrtMemType.DEFAULT,
    ) -> None:
        if name != "Cpu":
            raise RuntimeError(f"Specified device is not supported: {name}; this package knows Cpu only.")
        self.name, self.allocator_type, self.mem_type = name, allocator_type, mem_type
        self.device_id = as_int("OrtMemoryInfo()", device_id)
        self.device_mem_type = OrtDeviceMemoryType.DEFAULT
        self.device_vendor_id = 0

    @staticmethod
    def create_v2(
        name: str,
        device_type: OrtMemoryInfoDeviceType,
        vendor_id: int,
        device_id: int,
        mem_type: OrtDeviceMemoryType,
        alignment: int,
        allocator_type: OrtAllocatorType,
    ) -> OrtMemoryInfo:
        """The description of memory of any device, which may exist elsewhere."""
        info = OrtMemoryInfo()
        info.name, info.allocator_type, info.device_mem_type = name, allocator_type, mem_type
        info.device_id, info.device_vendor_id = (
            as_int("create_v2()", device_id),
            as_int("create_v2()", vendor_id),
        )
        reachable = mem_type == OrtDeviceMemoryType.HOST_ACCESSIBLE
        info.mem_type = OrtMemType.CPU_OUTPUT if reachable else OrtMemType.DEFAULT
        return info


class OrtArenaCfg:
    """The settings of an arena, in bytes; -1 = default. None has an effect: memory is planned ahead."""

    _FIELDS = (
        "max_mem",
        "arena_extend_strategy",
        "initial_chunk_size_bytes",
        "max_dead_bytes_per_chunk",
        "initial_growth_chunk_size_bytes",
        "max_power_of_two_extend_bytes",
    )
    __slots__ = _FIELDS

    def __init__(self, *values: Any) -> None:
        if len(values) == 1 and isinstance(values[0], Mapping):
            given = dict(values[0])
        elif len(values) == 4:
            given = dict(zip(self._FIELDS, values, strict=False))
        else:
            raise TypeError(
                "OrtArenaCfg(): incompatible function arguments: expected a dict or four integers"
            )
        if unknown := [name for name in given if name not in self._FIELDS]:
            known = ", ".join(self._FIELDS)
            raise RuntimeError(f"Invalid OrtArenaCfg option: {unknown[0]}; the options are {known}")
        for name in self._FIELDS:
            default = 0 if name == "max_mem" else -1
            setattr(self, name, as_int("OrtArenaCfg()", given.get(name, default)))


class OrtValueVector(list[OrtValue]):
    """A list of values."""

    def push_back(self, value: OrtValue) -> None:
        """Append one."""
        self.append(value)

    def reserve(self, count: int) -> None:
        """Nothing to reserve."""

    def shrink_to_fit(self) -> None:
        """Nothing to free."""


def create_and_register_allocator(info: OrtMemoryInfo, config: OrtArenaCfg | None = None) -> None:
    """Accept an allocator for all sessions; the memory plan of a program needs none."""


def create_and_register_allocator_v2(
    provider: str, info: OrtMemoryInfo, options: Mapping[str, str], config: OrtArenaCfg | None = None
) -> None:
    """Accept an allocator for all sessions; the memory plan of a program needs none."""


def copy_tensors(src: Sequence[OrtValue], dst: Sequence[OrtValue], stream: Any = None) -> None:
    """Copy values into the memory of others of the same sizes.

    Raises RuntimeError if the numbers of values or the sizes of two tensors differ.
    """
    if len(src) != len(dst):
        raise RuntimeError(f"copy_tensors: {len(src)} sources for {len(dst)} destinations")
    for source, target in zip(src, dst, strict=True):
        target.update_inplace(source)
