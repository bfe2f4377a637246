"""A binding feeds what is bound, by name or address, and puts results where it was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.base.signature import TensorInfo
from sardonyx.ort.binding import IOBinding
from sardonyx.ort.metadata import NodeArg
from sardonyx.ort.ortvalue import OrtValue


class Doubling:
    """A session whose outputs are twice its input, and that plus the weight."""

    def get_inputs(self) -> Sequence[NodeArg]:
        return [NodeArg(TensorInfo("x", "tensor(float)", (3,)))]

    def get_outputs(self) -> Sequence[NodeArg]:
        return [NodeArg(TensorInfo(name, "tensor(float)", (3,))) for name in "yz"]

    def get_overridable_initializers(self) -> Sequence[NodeArg]:
        return [NodeArg(TensorInfo("w", "tensor(float)", (3,)))]

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Any], options: Any = None) -> list[Any]:
        fed = {name: v.numpy() if isinstance(v, OrtValue) else np.asarray(v) for name, v in feeds.items()}
        made = {"y": fed["x"] * np.float32(2), "z": fed["x"] * np.float32(2) + fed.get("w", np.float32(0))}
        return [made[name] for name in names or "yz"]


X = np.array([1, 2, 3], np.float32)


def test_outputs_come_in_the_order_of_binding() -> None:
    binding = IOBinding(Doubling())
    binding.bind_cpu_input("x", X)
    binding.bind_ortvalue_input("w", OrtValue(X))
    binding.bind_output("z")
    binding.bind_output("y")
    assert binding.get_outputs() == []
    binding._run(None)
    assert [value.tolist() for value in binding.copy_outputs_to_cpu()] == [[3, 6, 9], [2, 4, 6]]
    assert len(binding.get_outputs_as_ortvaluevector()) == 2


def test_memory_at_an_address_is_read_and_written() -> None:
    source, target = X.copy(), np.zeros(3, np.float32)
    binding = IOBinding(Doubling())
    binding.bind_input("x", "cpu", 0, np.float32, [3], source.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, [3], target.ctypes.data)
    for factor in (1, 10):
        source[:] = X * factor
        binding._run(None)
        np.testing.assert_array_equal(target, X * 2 * factor)
    assert binding.get_outputs()[0].data_ptr() == target.ctypes.data


def test_an_ortvalue_takes_a_result_that_fits() -> None:
    target = OrtValue(np.zeros(3, np.float32))
    binding = IOBinding(Doubling())
    binding.bind_cpu_input("x", X)
    binding.bind_ortvalue_output("y", target)
    binding._run(None)
    assert target.numpy().tolist() == [2, 4, 6]
    for wrong in (np.zeros(4, np.float32), np.zeros(3)):
        binding.bind_ortvalue_output("y", OrtValue(wrong))
        with pytest.raises(RuntimeError, match="bound to memory for"):
            binding._run(None)


def test_what_is_forgotten_is_gone() -> None:
    binding = IOBinding(Doubling())
    binding.bind_cpu_input("x", X)
    binding.bind_output("y")
    binding._run(None)
    binding.clear_binding_outputs()
    assert binding.get_outputs() == []
    with pytest.raises(RuntimeError, match="At least one output"):
        binding._run(None)
    binding.bind_output("y")
    binding.clear_binding_inputs()
    with pytest.raises(KeyError):
        binding._run(None)


def test_what_cannot_be_bound() -> None:
    binding = IOBinding(Doubling())
    with pytest.raises(RuntimeError, match="name: q in the def list; the inputs are x, w"):
        binding.bind_cpu_input("q", X)
    with pytest.raises(RuntimeError, match="non-string"):
        binding.bind_input("x", "cpu", 0, np.str_, [3], X.ctypes.data)
    with pytest.raises(RuntimeError, match="CPU only"):
        binding.bind_output("y", "cuda")
    with pytest.raises(ValueError, match="are to be provided"):
        binding.bind_output("y", buffer_ptr=X.ctypes.data)
    binding.bind_input("x", "cpu", 0, np.float32, [0], 0)


@pytest.mark.parametrize("shape", [(2**32, 2**32), (-1,), (-1, -3), (2**61,)])
def test_an_address_holds_no_tensor_beyond_all_memory(shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="no memory at 0x.* holds a tensor of float32"):
        IOBinding(Doubling()).bind_input("x", "cpu", 0, np.float32, shape, X.ctypes.data)
