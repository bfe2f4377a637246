"""Models with a memory: requests of one sequence run in their order, each on the state that the last left.

Decides which tensors a client does not send, because they say where in a sequence a request stands or carry
its state. Must not know how the model runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sardonyx.protocol.config import Config
from sardonyx.protocol.datatypes import BY_CONFIG, DATATYPES, Array, objects
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import InferRequest, InferResponse, RequestedOutput, Tensor, Timings
from sardonyx.serve.model import Model
from sardonyx.serve.signature import Port

_IDLE_US = 1_000_000
_MOST_SEQUENCES = 10_000
_START, _END, _READY, _ID = (
    "CONTROL_SEQUENCE_START",
    "CONTROL_SEQUENCE_END",
    "CONTROL_SEQUENCE_READY",
    "CONTROL_SEQUENCE_CORRID",
)


def has_sequences(config: Mapping[str, Any]) -> bool:
    """Whether a configuration asks for sequences."""
    return "sequence_batching" in config


@dataclass(slots=True)
class _Sequence:
    """What is kept of a sequence; `used_s` is when it last ran, by the loop's clock."""

    state: dict[str, Array]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    used_s: float = 0.0


class SequenceModel:
    """A model behind its sequences; answers as a model does."""

    def __init__(self, model: Model) -> None:
        """INVALID_ARGUMENT if the configuration names tensors that the model has not."""
        self._model = model
        config: Mapping[str, Any] = model.offer.config["sequence_batching"]
        self._controls = {
            row["name"]: control
            for row in config.get("control_input", ())
            for control in row.get("control", ())
        }
        self._states: list[Mapping[str, Any]] = list(config.get("state", ()))
        self._idle_s = int(config.get("max_sequence_idle_microseconds", 0) or _IDLE_US) / 1e6
        self._sequences: dict[int | str, _Sequence] = {}
        self._ports = {port.name: port for port in model.signature.inputs}
        hidden = {*self._controls, *(state["input_name"] for state in self._states)}
        kept = {state["output_name"] for state in self._states}
        known = {*self._ports, *(port.name for port in model.signature.outputs)}
        for name in (hidden | kept) - known:
            raise invalid(f"model '{model.name}' has no '{name}', which 'sequence_batching' names")
        self.signature = replace(
            model.signature,
            inputs=tuple(port for port in model.signature.inputs if port.name not in hidden),
            outputs=tuple(port for port in model.signature.outputs if port.name not in kept),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @property
    def config(self) -> Config:
        """The complete configuration, without the tensors that clients do not see."""
        shown = self._model.config
        for side, ports in (("input", self.signature.inputs), ("output", self.signature.outputs)):
            names = {port.name for port in ports}
            shown[side] = [row for row in shown[side] if row["name"] in names]
        return shown

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol, without `versions`."""
        return {**self._model.metadata(), **self.signature.described()}

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """The answer to a request of a sequence; it waits for those before it."""
        self.signature.feeds(request.inputs)
        self.signature.wanted(request.outputs)
        key, start, end = self._place(request)
        self._forget_idle()
        if start:
            if len(self._sequences) >= _MOST_SEQUENCES and key not in self._sequences:
                text = f"model '{self._model.name}' has {len(self._sequences)} sequences open, try later"
                raise ServeError(Code.UNAVAILABLE, text, self._idle_s)
            self._sequences[key] = _Sequence(self._initial_state(request))
        sequence = self._sequences.get(key)
        if sequence is None:
            raise invalid(
                f"inference request for sequence {key} to model '{self._model.name}' must specify the "
                "START flag on the first request of the sequence"
            )
        async with sequence.turn:
            response = await self._model.infer(self._whole(request, sequence, key, start, end), timings)
            sequence.used_s = time.monotonic()
        by_name = {tensor.name: tensor for tensor in response.outputs}
        sequence.state = {state["input_name"]: by_name[state["output_name"]].data for state in self._states}
        if end and self._sequences.get(key) is sequence:
            del self._sequences[key]
        wanted = [output.name for output in request.outputs or ()] or [p.name for p in self.signature.outputs]
        response.outputs = [by_name[name] for name in dict.fromkeys(wanted)]
        return response

    async def close(self) -> None:
        """Let go of the model and of all states."""
        self._sequences.clear()
        await self._model.close()

    def _place(self, request: InferRequest) -> tuple[int | str, bool, bool]:
        key = request.parameters.get("sequence_id", 0)
        if key in (0, "") or isinstance(key, bool | float):
            raise invalid(
                f"inference request to model '{self._model.name}' must specify a non-zero or non-empty "
                "correlation ID"
            )
        start, end = (request.parameters.get(name) for name in ("sequence_start", "sequence_end"))
        return key, start is True, end is True

    def _whole(
        self, request: InferRequest, sequence: _Sequence, key: int | str, start: bool, end: bool
    ) -> InferRequest:
        rows = 1
        if self.signature.batches and request.inputs and request.inputs[0].shape:
            rows = request.inputs[0].shape[0]
        flags = {_START: start, _END: end, _READY: True}
        added = [
            self._control(self._ports[name], control, flags, key, rows)
            for name, control in self._controls.items()
        ]
        added += [
            Tensor(name, self._ports[name].datatype, array.shape, array)
            for name, array in sequence.state.items()
        ]
        outputs = [RequestedOutput(port.name) for port in self._model.signature.outputs]
        return replace(request, inputs=[*request.inputs, *added], outputs=outputs, parameters={})

    def _control(
        self, port: Port, control: Mapping[str, Any], flags: Mapping[str, bool], key: int | str, rows: int
    ) -> Tensor:
        shape = tuple(rows if axis == 0 and self.signature.batches else 1 for axis in range(len(port.dims)))
        kind = DATATYPES[port.datatype].numpy
        role = control.get("kind", _START)
        if role == _ID:
            value: Any = str(key).encode() if kind.kind == "O" else key
            if kind.kind != "O" and isinstance(value, str):
                if not value.isdecimal():
                    raise invalid(f"model '{self._model.name}' takes numbers as correlation IDs, got '{key}'")
                value = int(value)
        else:
            values = next((control[name] for name in _VALUES if control.get(name)), [0, 1])
            value = values[1 if flags[role] else 0]
        array = objects([value] * rows).reshape(shape) if kind.kind == "O" else np.full(shape, value, kind)
        return Tensor(port.name, port.datatype, shape, array)

    def _initial_state(self, request: InferRequest) -> dict[str, Array]:
        rows = request.inputs[0].shape[0] if self.signature.batches and request.inputs[0].shape else None
        state = {}
        for row in self._states:
            dims = [max(int(size), 0) for size in row.get("dims", ())]
            shape = dims if rows is None else [rows, *dims]
            kind = BY_CONFIG[row.get("data_type", "TYPE_FP32")].numpy
            state[row["input_name"]] = np.zeros(shape, kind)
        return state

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for key, sequence in list(self._sequences.items()):
            if sequence.used_s and not sequence.turn.locked() and now - sequence.used_s > self._idle_s:
                del self._sequences[key]


_VALUES = ("int32_false_true", "fp32_false_true", "bool_false_true")
