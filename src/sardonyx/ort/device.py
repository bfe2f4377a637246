"""OrtDevice: a device as onnxruntime names it, by name or by codes. Memory exists on the CPU only.

Must not know values or sessions.
"""

from __future__ import annotations

import enum

_CPU, _GPU, _FPGA, _NPU, _DML = range(5)


class OrtDeviceVendorId(enum.IntEnum):
    """The PCI numbers of vendors of devices."""

    NONE = 0
    AMD = 0x1002
    NVIDIA = 0x10DE
    ARM = 0x13B5
    MICROSOFT = 0x1414
    HUAWEI = 0x19E5
    QUALCOMM = 0x5143
    INTEL = 0x8086


_VENDOR = OrtDeviceVendorId
_NAMES = {
    "cpu": (_CPU, _VENDOR.NONE),
    "cuda": (_GPU, _VENDOR.NVIDIA),
    "cann": (_NPU, _VENDOR.HUAWEI),
    "dml": (_GPU, _VENDOR.MICROSOFT),
    "webgpu": (_GPU, _VENDOR.NONE),
    "gpu": (_GPU, _VENDOR.NONE),
    "npu": (_NPU, _VENDOR.NONE),
}
"""The code and vendor of each name."""


class OrtDevice:
    """A device by the code of its type, that of its memory, its vendor if given, and its number."""

    __slots__ = ("_id", "_memory", "_type", "_vendor")

    def __init__(self, device_type: int, memory: int = 0, *numbers: int) -> None:
        self._type, self._memory = int(device_type), int(memory)
        self._vendor, self._id = (int(n) for n in (0, 0, *numbers)[-2:])

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: int = -1) -> OrtDevice:
        """Name a device; raises Exception for a name that no package knows."""
        if ort_device_name not in _NAMES:
            raise Exception(f"Unsupported device type: {ort_device_name}")
        code, vendor = _NAMES[ort_device_name]
        return OrtDevice(
            code, 0, vendor if vendor_id < 0 or ort_device_name == "dml" else vendor_id, device_id
        )

    @staticmethod
    def cpu() -> int:
        """The code of the CPU."""
        return _CPU

    @staticmethod
    def cuda() -> int:
        """The code of a GPU."""
        return _GPU

    gpu = webgpu = cuda

    @staticmethod
    def cann() -> int:
        """The code of a processor for neural networks."""
        return _NPU

    npu = cann

    @staticmethod
    def dml() -> int:
        """The code of a device of DirectML."""
        return _DML

    @staticmethod
    def fpga() -> int:
        """The code of programmable hardware."""
        return _FPGA

    @staticmethod
    def default_memory() -> int:
        """The code of ordinary memory."""
        return 0

    def device_id(self) -> int:
        """The number of the device."""
        return self._id

    def device_type(self) -> int:
        """The code of the device type; 0 = CPU."""
        return self._type

    def device_vendor_id(self) -> int:
        """The PCI number of the vendor; 0 = none."""
        return self._vendor

    def device_mem_type(self) -> int:
        """The code of the memory; 0 = ordinary."""
        return self._memory

    vendor_id, mem_type = device_vendor_id, device_mem_type

    def _get_c_device(self) -> OrtDevice:
        return self

    _ort_device = property(_get_c_device)


def require_cpu(device: str | OrtDevice, device_id: int = 0) -> None:
    """Raise RuntimeError for every device but the CPU, and Exception for a name that no package knows."""
    found = device if isinstance(device, OrtDevice) else OrtDevice.make(device.lower(), device_id)
    if found.device_type() != _CPU:
        names = [name for name, (code, _) in _NAMES.items() if code == found.device_type()]
        shown = device if isinstance(device, str) else "/".join(names) or str(found.device_type())
        raise RuntimeError(
            f"Can't allocate memory on the device '{shown}': this package runs on the CPU only."
        )
