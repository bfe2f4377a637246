"""There is one device, the processor, on which one provider runs every node."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from sardonyx.frontend.load import open_model
from sardonyx.ort import hardware
from sardonyx.ort.exceptions import Fail, InvalidArgument
from sardonyx.ort.memory import OrtDeviceMemoryType

CPU = "CPUExecutionProvider"
MODEL = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => (float[2] y) { a = Exp(x) y = Neg(a) }""")
MODEL.metadata_props.add(key=f"ep_compatibility_info.{CPU}", value="made elsewhere")
BYTES = MODEL.SerializeToString()


def test_the_processor() -> None:
    (device,) = hardware.get_hardware_devices()
    (provider,) = hardware.get_ep_devices()
    assert provider.device is device
    assert (provider.ep_name, device.type) == (CPU, hardware.OrtHardwareDeviceType.CPU)
    assert provider.memory_info(OrtDeviceMemoryType.DEFAULT).name == "Cpu"
    with pytest.raises(Fail, match="no streams"):
        provider.create_sync_stream()


def test_what_speaks_against_a_device() -> None:
    (device,) = hardware.get_hardware_devices()
    ask = hardware.get_hardware_device_ep_incompatibility_details
    assert ask(CPU, device)["reasons_bitmask"] == 0
    gpu = hardware.OrtHardwareDevice(hardware.OrtHardwareDeviceType.GPU, "some", 1)
    assert ask(CPU, gpu)["reasons_bitmask"] == 2
    with pytest.raises(InvalidArgument, match="'CUDA'"):
        ask("CUDA", device)


def test_compiled_models_are_not_applicable() -> None:
    ask, devices = hardware.get_model_compatibility_for_ep_devices, hardware.get_ep_devices()
    assert ask(devices, "info").name == "EP_NOT_APPLICABLE"
    with pytest.raises(RuntimeError, match="at least one device"):
        ask([], "info")
    with pytest.raises(TypeError, match="must be a str"):
        ask(devices, 7)  # type: ignore[arg-type]


def test_what_a_model_says_of_a_provider(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(BYTES)
    assert hardware.get_compatibility_info_from_model(path, CPU) == "made elsewhere"
    assert hardware.get_compatibility_info_from_model_bytes(BYTES, "Other") is None
    for content, name in ((b"", CPU), (BYTES, ""), (b"no model", CPU)):
        with pytest.raises(RuntimeError):
            hardware.get_compatibility_info_from_model_bytes(content, name)
    with pytest.raises(RuntimeError, match="doesn't exist"):
        hardware.get_compatibility_info_from_model(tmp_path / "other.onnx", CPU)


def test_every_node_is_assigned() -> None:
    found = hardware.assigned(open_model(BYTES))
    assert [(part.ep_name, node.op_type) for part in found for node in part.get_nodes()] == [
        (CPU, "Exp"),
        (CPU, "Neg"),
    ]
