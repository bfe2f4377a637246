"""The JSON form of requests and responses, with the binary tensor extension.

Decides what a body means; must not know HTTP, models or how numbers in JSON become arrays (literals.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import orjson

from sardonyx.protocol.datatypes import Buffer, Datatype, datatype, from_raw, to_raw
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.literals import array_of, data_of
from sardonyx.protocol.messages import InferRequest, InferResponse, Parameters, RequestedOutput, Tensor

NonFinite = Literal["words", "null", "error"]
"""What stands in JSON for NaN and infinities: these words as in Triton, null as in MLServer, or no answer."""
_LARGEST_DIMENSION = 1 << 62
_LONGEST_FORM, _MOST_FORMS = 4096, 512


def parse(text: Buffer) -> Any:
    """The JSON document, with NaN and Infinity as numbers; INVALID_ARGUMENT says where it is malformed."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            document = json.loads(bytes(text).decode())
            if b"\\ud" in bytes(text).lower():
                json.dumps(document, ensure_ascii=False).encode()
            return document
        except (ValueError, RecursionError):
            raise invalid(f"failed to parse the request JSON: {error}") from None


def write(document: Any) -> bytes:
    """The text of a document that may hold numpy arrays; numbers that are not finite become null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


@dataclass(frozen=True, slots=True)
class _Form:
    """What a JSON text says whose tensors all follow it: inputs are (name, type, shape, start, end)."""

    inputs: tuple[tuple[str, Datatype, tuple[int, ...], int, int], ...]
    size: int
    parameters: Parameters
    outputs: tuple[RequestedOutput, ...] | None


_forms: dict[bytes, _Form] = {}
"""Clients send the same text again and again when only the tensors behind it differ."""


def decode_request(
    model: str, version: str, body: Buffer, header_length: int | None = None, document: Any = None
) -> InferRequest:
    """The request of a body; its first `header_length` bytes are JSON (None: all), the rest tensors.

    With a `header_length` of 0 the body is the only input, whose name, type and shape the model knows.
    `document` is what the JSON holds, if that was read before.
    """
    if document is not None:
        return _understood(model, version, document, memoryview(body)[header_length or len(body) :])
    if header_length is None:
        return _decoded(model, version, body, memoryview(b""))
    if header_length == 0:
        raw = np.frombuffer(body, np.uint8)
        tensors = [Tensor("", "", raw.shape, raw)]
        return InferRequest(model, tensors, version, "", {"binary_data_output": True})
    if header_length > len(body):
        raise invalid(f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes")
    view = memoryview(body)
    text, blobs = bytes(view[:header_length]), view[header_length:]
    form = _forms.get(text)
    if form is not None and form.size == len(blobs):
        inputs = [
            Tensor(name, kind.name, shape, from_raw(name, kind, shape, blobs[start:end]))
            for name, kind, shape, start, end in form.inputs
        ]
        outputs = None if form.outputs is None else list(form.outputs)
        return InferRequest(model, inputs, version, "", form.parameters, outputs)
    request = _decoded(model, version, text, blobs)
    _remember(text, request, len(blobs))
    return request


def _remember(text: bytes, request: InferRequest, size: int) -> None:
    if request.id or len(text) > _LONGEST_FORM or any(tensor.parameters for tensor in request.inputs):
        return
    inputs, start = [], 0
    for tensor in request.inputs:
        kind = datatype(tensor.datatype)
        end = start + tensor.data.nbytes
        if kind.size == 0:
            return
        inputs.append((tensor.name, kind, tensor.shape, start, end))
        start = end
    if start != size:
        return
    if len(_forms) >= _MOST_FORMS:
        _forms.clear()
    outputs = None if request.outputs is None else tuple(request.outputs)
    _forms[text] = _Form(tuple(inputs), size, request.parameters, outputs)


def _decoded(model: str, version: str, text: Buffer, blobs: memoryview) -> InferRequest:
    plain = bytes(text) if isinstance(text, memoryview) else text
    words = b"true" in plain or b"false" in plain
    return _understood(model, version, parse(text), blobs, words=words)


def _understood(
    model: str, version: str, document: Any, blobs: memoryview, *, words: bool = True
) -> InferRequest:
    if not isinstance(document, dict):
        raise invalid("the request must be a JSON object with 'inputs'")
    tensors = document.get("inputs")
    if not isinstance(tensors, list):
        raise invalid("the request must have 'inputs', a list of tensors")
    inputs = []
    for tensor in tensors:
        read, blobs = _input(tensor, blobs, words)
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


def _input(tensor: Any, blobs: memoryview, words: bool) -> tuple[Tensor, memoryview]:
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
        if "data" in tensor:
            array = array_of(name, kind, shape, tensor["data"], words=words)
        elif "shared_memory_region" in parameters:
            array = np.empty(0, kind.numpy)
        else:
            raise invalid(f"input '{name}' has no 'data'")
        return Tensor(name, kind.name, shape, array, parameters), blobs
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


def encode_response(
    response: InferResponse, request: InferRequest, non_finite: NonFinite = "words"
) -> tuple[bytes, list[memoryview]]:
    """The JSON of a response and the bytes of those outputs that the request wants binary, in order."""
    wanted = wanted_binary(response, request)
    if not response.id and not response.parameters and all(wanted.values()):
        return _all_binary(response)
    return _encoded(response, wanted, non_finite)


def wanted_binary(response: InferResponse, request: InferRequest) -> dict[str, bool]:
    """By output, whether the request wants its bytes behind the JSON."""
    by_default = request.parameters.get("binary_data_output", False) is True
    if request.outputs is None:
        return {tensor.name: by_default for tensor in response.outputs}
    return {
        output.name: output.parameters.get("binary_data", by_default) is True for output in request.outputs
    }


_texts: dict[tuple[Any, ...], bytes] = {}
"""Answers whose tensors all follow have the same text again and again."""


def _all_binary(response: InferResponse) -> tuple[bytes, list[memoryview]]:
    outputs = response.outputs
    form = tuple([(tensor.name, tensor.datatype, tensor.shape) for tensor in outputs])
    key = (response.model, response.version, form)
    text = _texts.get(key)
    if text is not None:
        return text, [to_raw(tensor.data) for tensor in outputs]
    text, blobs = _encoded(response, {tensor.name: True for tensor in outputs}, "words")
    if not any(tensor.parameters or tensor.datatype == "BYTES" for tensor in outputs):
        if len(_texts) >= _MOST_FORMS:
            _texts.clear()
        _texts[key] = text
    return text, blobs


def not_in_json(what: str, remedy: str = "") -> ServeError:
    """The error of an answer that JSON has no numbers for."""
    return ServeError(Code.UNSUPPORTED, f"{what} holds NaN or Infinity, which JSON does not have{remedy}")


def _encoded(
    response: InferResponse, wanted: Mapping[str, bool], non_finite: NonFinite
) -> tuple[bytes, list[memoryview]]:
    blobs: list[memoryview] = []
    outputs = []
    finite = True
    for tensor in response.outputs:
        written: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if "shared_memory_region" in tensor.parameters:
            # Triton's client in C++ looks for the size in whatever parameters an output has
            written["parameters"] = {**tensor.parameters, "binary_data_size": 0}
        elif wanted.get(tensor.name, False):
            blobs.append(to_raw(tensor.data))
            written["parameters"] = {**tensor.parameters, "binary_data_size": len(blobs[-1])}
        else:
            if tensor.parameters:
                written["parameters"] = tensor.parameters
            written["data"], all_finite = data_of(tensor)
            if not all_finite and non_finite == "error":
                raise not_in_json(f"output '{tensor.name}'", "; ask for it with binary_data")
            finite = finite and all_finite
        outputs.append(written)
    document: dict[str, Any] = {"model_name": response.model, "model_version": response.version}
    if response.id:
        document["id"] = response.id
    if response.parameters:
        document["parameters"] = response.parameters
    document["outputs"] = outputs
    return write_all(document, finite, non_finite), blobs


def write_all(document: Any, finite: bool, non_finite: NonFinite) -> bytes:
    """The text of a document that may hold numpy arrays and, if not all are finite, any numbers.

    UNSUPPORTED if those are an error.
    """
    if finite or non_finite == "null":
        return write(document)
    try:
        return json.dumps(
            document, separators=(",", ":"), default=np.ndarray.tolist, allow_nan=non_finite == "words"
        ).encode()
    except ValueError:
        raise not_in_json("the answer") from None
