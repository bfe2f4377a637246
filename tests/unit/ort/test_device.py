"""Devices have the codes and vendors of onnxruntime's, and only the CPU has memory."""

from __future__ import annotations

import pytest

from sardonyx.ort.device import OrtDevice, require_cpu


@pytest.mark.parametrize(
    ("name", "code", "vendor"),
    [
        ("cpu", OrtDevice.cpu(), 0),
        ("cuda", OrtDevice.cuda(), 0x10DE),
        ("cann", OrtDevice.cann(), 0x19E5),
        ("dml", OrtDevice.gpu(), 0x1414),
        ("gpu", OrtDevice.gpu(), 0),
        ("npu", OrtDevice.npu(), 0),
    ],
)
def test_names_stand_for_codes(name: str, code: int, vendor: int) -> None:
    device = OrtDevice.make(name, 3)
    assert (device.device_type(), device.device_vendor_id(), device.device_id()) == (code, vendor, 3)
    assert device.device_mem_type() == OrtDevice.default_memory()


def test_a_vendor_may_be_named_where_there_are_several() -> None:
    assert OrtDevice.make("gpu", 0, 0x8086).vendor_id() == 0x8086
    assert OrtDevice.make("dml", 0, 0x8086).vendor_id() == 0x1414


def test_numbers_are_a_vendor_and_a_device_or_a_device() -> None:
    assert [OrtDevice(1, 0, *n).device_id() for n in ((), (5,), (0x10DE, 6))] == [0, 5, 6]
    assert [OrtDevice(1, 0, *n).device_vendor_id() for n in ((), (5,), (0x10DE, 6))] == [0, 0, 0x10DE]


def test_memory_is_the_cpus() -> None:
    require_cpu("CPU")
    require_cpu(OrtDevice.make("cpu", 0))
    with pytest.raises(RuntimeError, match="device 'cuda'"):
        require_cpu("cuda", 1)
    with pytest.raises(RuntimeError, match="cann/npu"):
        require_cpu(OrtDevice.make("npu", 0))
    with pytest.raises(Exception, match="Unsupported device type: tpu"):
        require_cpu("tpu")
