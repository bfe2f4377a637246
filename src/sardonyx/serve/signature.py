"""What a model takes and gives in the protocol's words, and whether a request fits it.

Must not know how a model runs or how a request came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sardonyx.protocol.datatypes import BY_ONNX, DATATYPES, Array, element_count, from_raw, objects
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import RequestedOutput, Tensor

Dims = tuple[int | str | None, ...]
Argument = tuple[str, str, Dims | None]
_TENSOR = re.compile(r"tensor\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: a variable dimension is -1 in `shape` and has a name, or none, in `dims`."""

    name: str
    datatype: str
    dims: Dims
    ranked: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape with -1 for what varies."""
        return tuple(size if isinstance(size, int) else -1 for size in self.dims)

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of that shape fits."""
        if not self.ranked:
            return True
        return len(shape) == len(self.dims) and all(
            not isinstance(wanted, int) or wanted == given
            for wanted, given in zip(self.dims, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs of a model; if `batches`, axis 0 of all of them counts rows."""

    model: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batches: bool

    def feeds(self, tensors: Sequence[Tensor]) -> list[Array]:
        """The arrays of a request in the order of the inputs; INVALID_ARGUMENT says what does not fit."""
        given = {tensor.name: tensor for tensor in tensors}
        wanted = self.inputs
        if (
            len(given) != len(tensors)
            or len(given) != len(wanted)
            or any(p.name not in given for p in wanted)
        ):
            raise self._wrong_inputs(tensors)
        feeds = []
        for port in wanted:
            tensor = given[port.name]
            if tensor.datatype != port.datatype:
                raise invalid(
                    f"inference input '{port.name}' data-type is '{tensor.datatype}', "
                    f"but model '{self.model}' expects '{port.datatype}'"
                )
            if not port.takes(tensor.shape):
                raise invalid(
                    f"unexpected shape for input '{port.name}' for model '{self.model}'. "
                    f"Expected {_text(port.shape)}, got {_text(tensor.shape)}"
                )
            feeds.append(tensor.data)
        return feeds

    def wanted(self, requested: Sequence[RequestedOutput] | None) -> tuple[int, ...]:
        """The numbers of the requested outputs; INVALID_ARGUMENT for a name that the model has not."""
        if not requested:
            return tuple(range(len(self.outputs)))
        numbers = {port.name: index for index, port in enumerate(self.outputs)}
        for output in requested:
            if output.name not in numbers:
                raise invalid(
                    f"unexpected inference output '{output.name}' for model '{self.model}'; "
                    f"it has {', '.join(numbers)}"
                )
        return tuple(dict.fromkeys(numbers[output.name] for output in requested))

    def named(self, raw: Array) -> Tensor:
        """The only input, read from bytes alone: one row, at most one other free size, one element of BYTES.

        INVALID_ARGUMENT if there are several inputs or sizes to find.
        """
        if len(self.inputs) != 1:
            raise invalid(f"a raw request must have one input, model '{self.model}' has {len(self.inputs)}")
        port = self.inputs[0]
        dims = list(port.shape)
        if self.batches and dims:
            dims[0] = 1
        kind = DATATYPES[port.datatype]
        if kind.size == 0:
            shape = tuple(1 if size < 0 else size for size in dims)
            return Tensor(port.name, port.datatype, shape, objects([raw.tobytes()]).reshape(shape))
        free = [axis for axis, size in enumerate(dims) if size < 0]
        if len(free) > 1:
            raise invalid(f"a raw request leaves one size open, input '{port.name}' has {len(free)}")
        if free:
            known = element_count(size for size in dims if size >= 0) * kind.size
            dims[free[0]] = len(raw) // known if known else 0
        return Tensor(port.name, port.datatype, tuple(dims), from_raw(port.name, kind, tuple(dims), raw.data))

    def described(self) -> dict[str, list[dict[str, object]]]:
        """Inputs and outputs as the model metadata of the protocol shows them."""
        return {
            side: [{"name": p.name, "datatype": p.datatype, "shape": list(p.shape)} for p in ports]
            for side, ports in (("inputs", self.inputs), ("outputs", self.outputs))
        }

    def _wrong_inputs(self, tensors: Sequence[Tensor]) -> ServeError:
        names = [port.name for port in self.inputs]
        given = [tensor.name for tensor in tensors]
        for name in given:
            if name not in names:
                return invalid(
                    f"unexpected inference input '{name}' for model '{self.model}'; "
                    f"it takes {', '.join(names)}"
                )
            if given.count(name) > 1:
                return invalid(f"input '{name}' for model '{self.model}' is given twice")
        missing = [name for name in names if name not in given]
        return invalid(
            f"expected {len(names)} inputs but got {len(given)} inputs for model '{self.model}'. "
            f"Got input(s) {given}, but missing required input(s) {missing}. "
            "Please provide all required input(s)."
        )


def _text(shape: Iterable[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def signature_of(model: str, inputs: Sequence[Argument], outputs: Sequence[Argument]) -> Signature:
    """The signature of (name, ONNX type, shape or None) rows; UNSUPPORTED if a type has no datatype.

    An output whose first dimension is "" has that of the inputs. `batches` says that shapes allow it.
    """
    taken = tuple(_port(model, *argument) for argument in inputs)
    first = taken[0].dims[0] if taken and taken[0].dims else None
    given = []
    for name, kind, shape in outputs:
        dims = (first, *shape[1:]) if shape and shape[0] == "" else shape
        given.append(_port(model, name, kind, dims))
    return Signature(model, taken, tuple(given), _could_batch(taken, given))


def _port(model: str, name: str, kind: str, shape: Dims | None) -> Port:
    match = _TENSOR.fullmatch(kind)
    row = BY_ONNX.get(match[1]) if match else None
    if row is None:
        raise ServeError(
            Code.UNSUPPORTED, f"model '{model}': '{name}' is a {kind}; the protocol has no such datatype"
        )
    return Port(name, row.name, tuple(shape or ()), shape is not None)


def _could_batch(inputs: Sequence[Port], outputs: Sequence[Port]) -> bool:
    """Whether axis 0 of all inputs is one free size, on no other axis, and free in all outputs."""
    firsts = {port.dims[0] if port.dims else 0 for port in inputs}
    first = next(iter(firsts), 0)
    return (
        len(firsts) == 1
        and not isinstance(first, int)
        and (first is None or all(first not in port.dims[1:] for port in inputs))
        and all(bool(port.dims) and not isinstance(port.dims[0], int) for port in outputs)
    )
