"""IOBinding: inputs and outputs attached once and used by several runs.

Decides where results are put; must not know how a session runs.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sardonyx.ort.device import OrtDevice, require_cpu
from sardonyx.ort.memory import OrtValueVector
from sardonyx.ort.ortvalue import OrtValue, array_dtype, new_array

if TYPE_CHECKING:
    from sardonyx.ort.metadata import NodeArg
    from sardonyx.ort.options import RunOptions

Array = npt.NDArray[Any]


def _array_at(address: int, shape: Sequence[int], element_type: Any) -> Array:
    dtype = array_dtype(element_type)
    if dtype.kind in "OUST":
        raise RuntimeError(
            "Only binding non-string Tensors is supported; bind strings with bind_cpu_input()."
        )
    count = prod(shape)
    if count == 0:
        return new_array(shape, dtype)
    if min(shape, default=1) < 0 or address + count * dtype.itemsize > sys.maxsize:
        raise RuntimeError(
            f"no memory at {address:#x} holds a tensor of {dtype} with the shape {list(shape)}"
        )
    memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    array: Array = np.frombuffer(memoryview(memory), dtype).reshape(tuple(shape))
    return array


class Bindable(Protocol):
    """What a binding needs of its session; see `Session`."""

    def get_inputs(self) -> Sequence[NodeArg]:
        """The inputs that must be fed."""

    def get_outputs(self) -> Sequence[NodeArg]:
        """The outputs in the model's order."""

    def get_overridable_initializers(self) -> Sequence[NodeArg]:
        """The weights that may be fed."""

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """The named outputs."""


class IOBinding:
    """The values bound to the inputs and outputs of one session."""

    def __init__(self, session: Bindable) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Array | None] = {}
        self._results: dict[str, OrtValue] = {}

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Bind an array or list; RuntimeError if the model has no such input."""
        self._require_input(name)
        self._inputs[name] = arr_on_cpu

    def bind_input(
        self,
        name: str,
        device_type: str | OrtDevice,
        device_id: int,
        element_type: Any,
        shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:
        """Bind memory at an address, which must stay valid while it is bound."""
        require_cpu(device_type, device_id)
        self._require_input(name)
        self._inputs[name] = _array_at(buffer_ptr, shape, element_type)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Bind an OrtValue."""
        self._require_input(name)
        self._inputs[name] = ortvalue

    def bind_output(
        self,
        name: str,
        device_type: str | OrtDevice = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Ask for an output, in memory at an address if one is given."""
        require_cpu(device_type, device_id)
        if buffer_ptr is None:
            self._outputs[name] = None
            return
        if element_type is None or shape is None:
            raise ValueError(
                "`element_type` and `shape` are to be provided if pre-allocated memory is provided"
            )
        self._outputs[name] = _array_at(buffer_ptr, shape, element_type)

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Ask for an output in the memory of an OrtValue."""
        self._outputs[name] = ortvalue.numpy()

    def synchronize_inputs(self) -> None:
        """Nothing to wait for on the CPU."""

    def synchronize_outputs(self) -> None:
        """Nothing to wait for on the CPU."""

    def get_outputs(self) -> list[OrtValue]:
        """The outputs of the last run in the order of binding."""
        return [self._results[name] for name in self._outputs if name in self._results]

    def get_outputs_as_ortvaluevector(self) -> OrtValueVector:
        """The outputs of the last run in the order of binding."""
        return OrtValueVector(self.get_outputs())

    def copy_outputs_to_cpu(self) -> list[Any]:
        """The outputs of the last run as arrays."""
        return [value._unwrap() for value in self.get_outputs()]

    def clear_binding_inputs(self) -> None:
        """Forget the bound inputs."""
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        """Forget the bound outputs and their results."""
        self._outputs.clear()
        self._results.clear()

    def _require_input(self, name: str) -> None:
        known = [
            arg.name for arg in (*self._session.get_inputs(), *self._session.get_overridable_initializers())
        ]
        if name not in known:
            raise RuntimeError(
                f"Failed to find NodeArg with name: {name} in the def list; the inputs are {', '.join(known)}"
            )

    def _run(self, run_options: Any) -> None:
        names = list(self._outputs)
        if not names:
            raise RuntimeError("Error in execution: At least one output should be requested.")
        results = self._session.run(names, self._inputs, run_options)[: len(names)]
        for name, result in zip(names, results, strict=True):
            target = self._outputs[name]
            if target is None:
                self._results[name] = OrtValue(result)
                continue
            if target.shape != result.shape or target.dtype != result.dtype:
                raise RuntimeError(
                    f"Error in execution: output {name} is {result.dtype} {list(result.shape)}, "
                    f"bound to memory for {target.dtype} {list(target.shape)}"
                )
            np.copyto(target, result)
            self._results[name] = OrtValue(target)
