"""The JSON form of requests and responses, with the binary tensor extension.

Decides what a body means; must not know HTTP, models or how numbers in JSON become arrays (literals.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from sardonyx.protocol.datatypes import Buffer, datatype, from_raw, to_raw
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.literals import array_of, data_of
from sardonyx.protocol.messages import InferRequest, InferResponse, Parameters, RequestedOutput, Tensor

_LARGEST_DIMENSION = 1 << 62
_OWN_PARAMETERS = ("binary_data", "binary_data_size", "binary_data_output")


def parse(text: Buffer) -> Any:
    """The JSON document, with NaN and Infinity as numbers; INVALID_ARGUMENT says where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(bytes(text))
        except (ValueError, RecursionError):
            raise invalid(f"failed to parse the request JSON: {error}") from None


def write(document: Any) -> bytes:
    """The text of a document that may hold numpy arrays of finite numbers."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def decode_request(model: str, version: str, body: Buffer, header_length: int | None = None) -> InferRequest:
    """The request of a body; its first `header_length` bytes are JSON (None: all), the rest tensors."""
    blobs = memoryview(body)[len(body) :]
    text = body
    if header_length is not None:
        if not 0 < header_length <= len(body):
            raise invalid(
                f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes"
            )
        view = memoryview(body)
        text, blobs = view[:header_length], view[header_length:]
    document = parse(text)
    if not isinstance(document, dict):
        raise invalid("the request must be a JSON object with 'inputs'")
    tensors = document.get("inputs")
    if not isinstance(tensors, list):
        raise invalid("the request must have 'inputs', a list of tensors")
    inputs = []
    for tensor in tensors:
        read, blobs = _input(tensor, blobs)
        inputs.append(read)
    if len(blobs):
        raise invalid(f"unexpected additional input data: {len(blobs)} bytes belong to no input")
    outputs = document.get("outputs")
    return InferRequest(
        model,
        inputs,
        version,
        _text(document, "id", "the request"),
        _parameters(document, "the request"),
        None if outputs is None else _requested(outputs),
    )


def _input(tensor: Any, blobs: memoryview) -> tuple[Tensor, memoryview]:
    if not isinstance(tensor, dict):
        raise invalid("each of 'inputs' must be an object")
    name = _text(tensor, "name", "an input")
    if not name:
        raise invalid("an input has no 'name'")
    kind = datatype(_text(tensor, "datatype", f"input '{name}'"), name)
    shape = _shape(tensor.get("shape"), name)
    parameters = _parameters(tensor, f"input '{name}'")
    size = parameters.pop("binary_data_size", None)
    if size is None:
        if "data" not in tensor:
            if "shared_memory_region" in parameters:
                return Tensor(name, kind.name, shape, from_raw(name, kind, (0,), b""), parameters), blobs
            raise invalid(f"input '{name}' has no 'data'")
        return Tensor(name, kind.name, shape, array_of(name, kind, shape, tensor["data"]), parameters), blobs
    if "data" in tensor:
        raise invalid(f"input '{name}' has 'data' and 'binary_data_size'; give one of them")
    if type(size) is not int or size < 0:
        raise invalid(f"'binary_data_size' of input '{name}' must be a number of bytes, got {size!r}")
    if size > len(blobs):
        raise invalid(f"unexpected size for input '{name}': {size} bytes announced, {len(blobs)} are left")
    array = from_raw(name, kind, shape, blobs[:size])
    return Tensor(name, kind.name, shape, array, parameters), blobs[size:]


def _shape(given: Any, name: str) -> tuple[int, ...]:
    if not isinstance(given, list):
        raise invalid(f"input '{name}' has no 'shape'")
    for size in given:
        if type(size) is not int or not 0 <= size < _LARGEST_DIMENSION:
            raise invalid(f"shape of input '{name}' must hold whole numbers from 0 on, got {size!r}")
    return tuple(given)


def _text(holder: Mapping[str, Any], key: str, where: str) -> str:
    value = holder.get(key, "")
    if not isinstance(value, str):
        raise invalid(f"'{key}' of {where} must be a string")
    return value


def _parameters(holder: Mapping[str, Any], where: str) -> Parameters:
    given = holder.get("parameters")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid(f"'parameters' of {where} must be an object")
    for key, value in given.items():
        if not isinstance(value, bool | int | float | str):
            raise invalid(f"parameter '{key}' of {where} must be a string, a number or a bool")
    return given


def _requested(outputs: Any) -> list[RequestedOutput]:
    if not isinstance(outputs, list):
        raise invalid("'outputs' must be a list")
    requested = []
    for output in outputs:
        if not isinstance(output, dict):
            raise invalid("each of 'outputs' must be an object")
        name = _text(output, "name", "an output")
        if not name:
            raise invalid("an output has no 'name'")
        requested.append(RequestedOutput(name, _parameters(output, f"output '{name}'")))
    return requested


def encode_response(response: InferResponse, request: InferRequest) -> tuple[bytes, list[memoryview]]:
    """The JSON of a response and the bytes of those outputs that the request wants binary, in order."""
    binary_by_default = request.parameters.get("binary_data_output", False) is True
    wanted = {
        output.name: output.parameters.get("binary_data", binary_by_default) is True
        for output in request.outputs or ()
    }
    blobs: list[memoryview] = []
    outputs = []
    all_finite = True
    for tensor in response.outputs:
        written: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if "shared_memory_region" in tensor.parameters:
            written["parameters"] = tensor.parameters
        elif wanted.get(tensor.name, binary_by_default):
            blobs.append(to_raw(tensor.data))
            written["parameters"] = {**tensor.parameters, "binary_data_size": len(blobs[-1])}
        else:
            if tensor.parameters:
                written["parameters"] = tensor.parameters
            written["data"], finite = data_of(tensor)
            all_finite = all_finite and finite
        outputs.append(written)
    document: dict[str, Any] = {"model_name": response.model, "model_version": response.version}
    if response.id:
        document["id"] = response.id
    if response.parameters:
        document["parameters"] = response.parameters
    document["outputs"] = outputs
    return (write(document) if all_finite else _write_literals(document)), blobs


def _write_literals(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), default=np.ndarray.tolist).encode()
