"""What a configuration says of inputs and outputs, held against the model; and shapes that it changes.

A client sees `dims`, the model `reshape.shape`; both hold as many elements, and their -1 mean the same sizes
in the same order. Must not know how a model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from sardonyx.protocol.datatypes import DATATYPES, Array
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.serve.signature import Port, Signature

Results = list[Array]
Call = Callable[[Sequence[Array], tuple[int, ...] | None], Results]
Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """From one shape to another; -1 is a size that only an array knows."""

    before: Sizes
    after: Sizes

    def __call__(self, array: Array) -> Array:
        """The same elements in the other shape; ValueError if the array has not the one it is told for."""
        if len(array.shape) != len(self.before):
            raise ValueError(f"{list(array.shape)} is not a shape like {list(self.before)}")
        free = (given for given, known in zip(array.shape, self.before, strict=True) if known < 0)
        return array.reshape([next(free) if size < 0 else size for size in self.after])


class Reshaped:
    """A call between reshapes; None where nothing changes."""

    def __init__(
        self, model: str, call: Call, inputs: list[Reshape | None], outputs: list[Reshape | None]
    ) -> None:
        self._model, self._call = model, call
        self._inputs, self._outputs = inputs, outputs

    def __call__(self, feeds: Sequence[Array], wanted: tuple[int, ...] | None = None) -> Results:
        """The outputs numbered `wanted`, None = all, in the shapes that clients see."""
        results = self._call(_each(self._inputs, feeds), wanted)
        chosen = self._outputs if wanted is None else [self._outputs[number] for number in wanted]
        try:
            return _each(chosen, results)
        except ValueError as error:
            text = f"model '{self._model}' gave what its configuration does not reshape: {error}"
            raise ServeError(Code.INTERNAL, text) from None


def _each(reshapes: Sequence[Reshape | None], arrays: Sequence[Array]) -> Results:
    return [a if change is None else change(a) for change, a in zip(reshapes, arrays, strict=True)]


def configured(config: Mapping[str, Any], signature: Signature, call: Call) -> tuple[Signature, Call]:
    """A model as its configuration shows it to clients.

    INVALID_ARGUMENT if that names what the model has not, or contradicts its types or shapes.
    """
    inputs = _rows(signature, "input", config.get("input", ()), signature.inputs)
    outputs = _rows(signature, "output", config.get("output", ()), signature.outputs)
    if not any((*inputs, *outputs)):
        return signature, call
    shown = replace(
        signature,
        inputs=tuple(map(_shown, signature.inputs, inputs)),
        outputs=tuple(map(_shown, signature.outputs, outputs)),
        batches=signature.batches and all(r.before[0] < 0 for r in (*inputs, *outputs) if r and r.before),
    )
    backwards = [r and Reshape(r.after, r.before) for r in outputs]
    return shown, Reshaped(signature.model, call, inputs, backwards)


def _shown(port: Port, change: Reshape | None) -> Port:
    if change is None:
        return port
    return replace(port, dims=tuple(None if size < 0 else size for size in change.before), ranked=True)


def _rows(
    signature: Signature, side: str, rows: Sequence[Mapping[str, Any]], ports: Sequence[Port]
) -> list[Reshape | None]:
    """From what a client sees to what the model has, for each port."""
    known = {port.name: port for port in ports}
    found: dict[str, Reshape | None] = {}
    for row in rows:
        name = row.get("name", "")
        if name not in known:
            raise invalid(
                f"model '{signature.model}': the configuration has an {side} '{name}', "
                f"the file has {', '.join(sorted(known))}"
            )
        found[name] = _checked(f"model '{signature.model}': {side} '{name}'", row, known[name])
    return [found.get(port.name) for port in ports]


def _checked(what: str, row: Mapping[str, Any], port: Port) -> Reshape | None:
    declared, kind = row.get("data_type"), DATATYPES[port.datatype].config
    if declared not in (None, "TYPE_INVALID", kind):
        raise invalid(f"{what} is {declared} in the configuration, {kind} in the file")
    if "dims" not in row:
        return None
    dims = tuple(int(size) for size in row["dims"])
    changes = "reshape" in row
    inside = tuple(int(size) for size in row["reshape"].get("shape", ())) if changes else dims
    rows = (-1,) if len(inside) == len(port.dims) - 1 else ()
    if port.ranked and not _agree((*rows, *inside), port.shape):
        raise invalid(f"{what} has {list(inside)} in the configuration, {list(port.shape)} in the file")
    if not changes:
        return None
    if _size(dims) != _size(inside):
        raise invalid(f"{what} cannot be reshaped from {list(dims)} to {list(inside)}")
    return Reshape((*rows, *dims), (*rows, *inside))


def _agree(declared: Sizes, found: Sizes) -> bool:
    return len(declared) == len(found) and all(
        left < 0 or right < 0 or left == right for left, right in zip(declared, found, strict=True)
    )


def _size(dims: Sizes) -> tuple[int, int]:
    """The product of what is known, and how many sizes are not."""
    return prod(size for size in dims if size >= 0), sum(size < 0 for size in dims)
