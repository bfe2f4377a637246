"""Descriptions of memory keep what they are told, and values are copied where they fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ort.memory import (
    OrtAllocatorType,
    OrtArenaCfg,
    OrtDeviceMemoryType,
    OrtMemoryInfo,
    OrtMemoryInfoDeviceType,
    OrtMemType,
    OrtValueVector,
    copy_tensors,
)
from sardonyx.ort.ortvalue import OrtValue


def test_memory_is_the_cpus() -> None:
    info = OrtMemoryInfo("Cpu", OrtAllocatorType.ORT_DEVICE_ALLOCATOR, 2, OrtMemType.CPU_OUTPUT)
    assert (info.name, info.device_id, info.mem_type) == ("Cpu", 2, OrtMemType.CPU_OUTPUT)
    assert info.allocator_type == OrtAllocatorType.ORT_DEVICE_ALLOCATOR
    with pytest.raises(RuntimeError, match="not supported: Cuda"):
        OrtMemoryInfo("Cuda")
    with pytest.raises(TypeError):
        OrtMemoryInfo(device_id="1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reach", "kind"),
    [
        (OrtDeviceMemoryType.DEFAULT, OrtMemType.DEFAULT),
        (OrtDeviceMemoryType.HOST_ACCESSIBLE, OrtMemType.CPU_OUTPUT),
    ],
)
def test_memory_elsewhere_can_be_described(reach: Any, kind: Any) -> None:
    allocator = OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = OrtMemoryInfo.create_v2("Cuda", OrtMemoryInfoDeviceType.GPU, 0x10DE, 1, reach, 0, allocator)
    assert (info.name, info.device_vendor_id, info.device_id) == ("Cuda", 0x10DE, 1)
    assert (info.device_mem_type, info.mem_type, info.allocator_type) == (reach, kind, allocator)


def test_settings_of_an_arena() -> None:
    by_place = OrtArenaCfg(5, 1, 2, 3)
    assert [by_place.max_mem, by_place.arena_extend_strategy] == [5, 1]  # type: ignore[attr-defined]
    assert by_place.max_power_of_two_extend_bytes == -1  # type: ignore[attr-defined]
    assert OrtArenaCfg({"max_dead_bytes_per_chunk": 9}).max_mem == 0  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="option: some"):
        OrtArenaCfg({"some": 1})
    for wrong in ((), (1,), (1, 2, 3), (1, 2, 3, "4")):
        with pytest.raises(TypeError):
            OrtArenaCfg(*wrong)


def test_copies_go_where_they_fit() -> None:
    sources = OrtValueVector()
    sources.push_back(OrtValue(np.arange(4.0)))
    target = OrtValue(np.zeros((2, 2)))
    copy_tensors(sources, [target])
    assert target.numpy().tolist() == [[0, 1], [2, 3]]
    with pytest.raises(RuntimeError, match="1 sources for 0"):
        copy_tensors(sources, [])
    with pytest.raises(RuntimeError, match="does not match"):
        copy_tensors(sources, [OrtValue(np.zeros(3))])
