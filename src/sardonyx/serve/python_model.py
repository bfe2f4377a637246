"""A step in Python as a model: `name/version/model.py` beside its config.pbtxt, a function of named arrays.

Decides how such a file is read and called. It runs with all rights of the server, so files come from the
repository's folder and never over the network. Must not know queues or requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sardonyx.protocol.datatypes import BY_CONFIG, DATATYPES, Array
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.serve.engine import Results, encoded
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature

FILE = "model.py"
FUNCTION = "run"
_END = object()


class PythonCall:
    """Calls `run(**inputs)`, which gives a dictionary of outputs, or many one after the other."""

    def __init__(self, signature: Signature, function: Callable[..., Any]) -> None:
        self._function = function
        self._signature = signature
        self._inputs = [port.name for port in signature.inputs]

    def __call__(self, feeds: Sequence[Array], wanted: tuple[int, ...] | None = None) -> Results:
        """The outputs numbered `wanted`, None = all. INTERNAL if the function fails or gives wrong ones."""
        with self._explained():
            outputs = self._function(**dict(zip(self._inputs, feeds, strict=True)))
        return self._chosen(outputs, wanted)

    def each(self, feeds: Sequence[Array], wanted: tuple[int, ...] | None = None) -> Iterator[Results]:
        """The outputs of each dictionary that a generator gives."""
        with self._explained():
            given = iter(self._function(**dict(zip(self._inputs, feeds, strict=True))))
        while True:
            with self._explained():
                outputs = next(given, _END)
            if outputs is _END:
                return
            yield self._chosen(outputs, wanted)

    def _chosen(self, outputs: Any, wanted: tuple[int, ...] | None) -> Results:
        ports = self._signature.outputs
        chosen = ports if wanted is None else [ports[number] for number in wanted]
        return [_checked(self._signature.model, port, outputs) for port in chosen]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ServeError:
            raise
        except Exception as error:
            text = f"model '{self._signature.model}' failed: {type(error).__name__}: {error}"
            raise ServeError(Code.INTERNAL, text) from error


def _checked(model: str, port: Port, outputs: Any) -> Array:
    if not isinstance(outputs, Mapping) or port.name not in outputs:
        raise ServeError(Code.INTERNAL, f"model '{model}' must give a dictionary with '{port.name}'")
    kind = DATATYPES[port.datatype].numpy
    array = np.asarray(outputs[port.name], kind)
    if not port.takes(array.shape):
        raise ServeError(
            Code.INTERNAL,
            f"model '{model}' gave '{port.name}' of {list(array.shape)}, not {list(port.shape)}",
        )
    return encoded(array) if kind.kind == "O" else array


def open_python(offer: Offer, signature: Signature) -> PythonCall:
    """Read the file of an offer; INVALID_ARGUMENT if it fails or has no function `run`."""
    module = ModuleType(f"sardonyx_model_{offer.name}_{offer.version}")
    module.__file__ = str(offer.path)
    try:
        exec(compile(Path(offer.path).read_bytes(), str(offer.path), "exec"), module.__dict__)
    except Exception as error:
        raise invalid(
            f"model '{offer.name}': {offer.path} failed: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        raise invalid(f"model '{offer.name}': {offer.path} has no function '{FUNCTION}'")
    return PythonCall(signature, function)


def declared_signature(offer: Offer) -> Signature:
    """The signature that a configuration declares; INVALID_ARGUMENT if it declares none."""
    config = offer.config
    batches = int(config.get("max_batch_size", 0)) > 0
    inputs, outputs = (
        tuple(_port(offer.name, row, batches) for row in config.get(side, ())) for side in ("input", "output")
    )
    if not outputs:
        raise invalid(f"model '{offer.name}': its configuration must declare 'input' and 'output'")
    return Signature(offer.name, inputs, outputs, batches)


def _port(model: str, row: Mapping[str, Any], batches: bool) -> Port:
    kind = BY_CONFIG.get(row.get("data_type", ""))
    if kind is None:
        raise invalid(f"model '{model}': '{row.get('name')}' has no 'data_type' that is served")
    dims = [None if int(size) < 0 else int(size) for size in row.get("dims", ())]
    return Port(str(row["name"]), kind.name, (*(("batch",) if batches else ()), *dims))
