"""Inference as a client writes and reads it: arrays in, arrays out, tensors as they lie in memory.

Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from sardonyx.base.dtype import by_numpy
from sardonyx.protocol.datatypes import DATATYPES, datatype, from_raw, to_raw
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.literals import array_of
from sardonyx.protocol.messages import Parameter
from sardonyx.protocol.rest import parse

Array = npt.NDArray[Any]
HEADER = "Inference-Header-Content-Length"
_NAMES = {row.known: row.name for row in DATATYPES.values()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered; `model` and `version` are those that ran. `answer["y"]` is an output."""

    outputs: dict[str, Array]
    model: str
    version: str
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        return self.outputs[name]


def encoded(
    inputs: Mapping[str, Any],
    outputs: Sequence[str] | None,
    id: str,
    parameters: Mapping[str, Parameter] | None,
) -> tuple[bytes, int]:
    """A request body, and how many of its bytes are JSON. ValueError for what is not a tensor."""
    tensors, blobs = [], []
    for name, value in inputs.items():
        array = _array(name, value)
        blob = to_raw(array)
        blobs.append(blob)
        tensors.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": _NAMES[by_numpy(array.dtype)],
                "parameters": {"binary_data_size": len(blob)},
            }
        )
    document: dict[str, Any] = {
        "inputs": tensors,
        "parameters": {**(parameters or {}), "binary_data_output": True},
    }
    if outputs is not None:
        document["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    if id:
        document["id"] = id
    header = orjson.dumps(document)
    return b"".join((header, *blobs)), len(header)


def decoded(body: bytes, header_length: int | None) -> Answer:
    """The answer of a response body. Raises ServeError INTERNAL if it cannot be read."""
    view = memoryview(body)
    border = len(view) if header_length is None else header_length
    blobs = view[border:]
    try:
        document = parse(view[:border])
        outputs = {}
        for tensor in document["outputs"]:
            name, shape = tensor["name"], tuple(tensor["shape"])
            kind = datatype(tensor["datatype"], name)
            size = tensor.get("parameters", {}).get("binary_data_size")
            if size is None:
                outputs[name] = array_of(name, kind, shape, tensor["data"])
            else:
                outputs[name] = from_raw(name, kind, shape, blobs[:size])
                blobs = blobs[size:]
        return Answer(
            outputs,
            document["model_name"],
            document.get("model_version", ""),
            document.get("id", ""),
            document.get("parameters", {}),
        )
    except (ServeError, ValueError, KeyError, TypeError) as error:
        raise ServeError(Code.INTERNAL, f"the server's answer cannot be read: {error}") from error


def _array(name: str, value: Any) -> Array:
    """Arrays as they are; lists of Python numbers as float32 or int64, texts as BYTES."""
    array = np.asarray(value)
    if not isinstance(value, np.ndarray | np.generic) and array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype.kind in "UST":
        array = array.astype(object)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if not _is_known(array.dtype):
        raise ValueError(f"input {name!r}: the protocol has no type for {array.dtype}")
    return array


def _is_known(dtype: np.dtype[Any]) -> bool:
    try:
        return by_numpy(dtype) in _NAMES
    except KeyError:
        return False
