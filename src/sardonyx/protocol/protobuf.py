"""Requests and responses as protobuf messages: what gRPC carries.

Decides how tensors lie in messages; must not know gRPC itself or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from sardonyx.protocol.datatypes import Array, Datatype, datatype, element_count, from_raw, objects, to_raw
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.known import Read, bytes_of
from sardonyx.protocol.messages import InferRequest, InferResponse, Parameters, RequestedOutput, Tensor
from sardonyx.protocol.wire import inference_pb2 as pb

_RAW_INPUT, _RAW_OUTPUT = 7 << 3 | 2, 6 << 3 | 2
"""What the fields of raw tensors begin with: their number, and that bytes follow."""
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def decode_request(message: pb.ModelInferRequest) -> InferRequest:
    """The request of a message; INVALID_ARGUMENT if its tensors contradict themselves."""
    raw = message.raw_input_contents
    blobs: Iterator[bytes] | None = iter(raw) if len(raw) else None
    inputs = [_input(tensor, blobs) for tensor in message.inputs]
    if blobs is not None and next(blobs, None) is not None:
        raise invalid(
            f"expected {len(inputs)} 'raw_input_contents', one for each input outside of shared memory, "
            f"got {len(raw)}"
        )
    return InferRequest(
        message.model_name,
        inputs,
        message.model_version,
        message.id,
        _parameters(message.parameters),
        [RequestedOutput(output.name, _parameters(output.parameters)) for output in message.outputs] or None,
    )


def _input(tensor: Any, blobs: Iterator[bytes] | None) -> Tensor:
    name = tensor.name
    kind = datatype(tensor.datatype, name)
    shape = tuple(tensor.shape)
    if any(size < 0 for size in shape):
        raise invalid(f"shape of input '{name}' must hold whole numbers from 0 on, got {list(shape)}")
    parameters = _parameters(tensor.parameters) if len(tensor.parameters) else {}
    if "shared_memory_region" in parameters:
        return Tensor(name, kind.name, shape, np.empty(0, kind.numpy), parameters)
    if blobs is None:
        return Tensor(name, kind.name, shape, _contents(name, kind, shape, tensor.contents), parameters)
    if tensor.HasField("contents"):
        raise invalid(
            f"contents field must not be specified when using raw_input_contents for input '{name}'"
        )
    blob = next(blobs, None)
    if blob is None:
        raise invalid(f"input '{name}' has no data: there are fewer 'raw_input_contents' than inputs")
    return Tensor(name, kind.name, shape, from_raw(name, kind, shape, blob), parameters)


def _contents(name: str, kind: Datatype, shape: tuple[int, ...], contents: Any) -> Array:
    field = _CONTENTS.get(kind.name)
    if field is None:
        raise invalid(f"input '{name}': {kind.name} has no contents; send it in raw_input_contents")
    values = getattr(contents, field)
    count = element_count(shape)
    if len(values) != count:
        raise invalid(
            f"unexpected number of elements in input '{name}': {list(shape)} take {count} in '{field}', "
            f"got {len(values)}"
        )
    if kind.size == 0:
        return objects(list(values)).reshape(shape)
    array = np.array(values, kind.numpy if kind.size >= 4 or kind.name == "BOOL" else np.int64)
    if kind.numpy != array.dtype:
        limits = np.iinfo(kind.numpy)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise invalid(f"'{field}' of input '{name}' holds a number that is not a valid {kind.name}")
        array = array.astype(kind.numpy)
    return array.reshape(shape)


def _parameters(given: Mapping[str, Any]) -> Parameters:
    found: Parameters = {}
    for key, value in given.items():
        choice = value.WhichOneof("parameter_choice")
        if choice is not None:
            found[key] = getattr(value, choice)
    return found


def encode_response(response: InferResponse) -> pb.ModelInferResponse:
    """The message of a response; tensors are raw, those in shared memory empty."""
    message = pb.ModelInferResponse(model_name=response.model, model_version=response.version, id=response.id)
    _write_parameters(response.parameters, message.parameters)
    for tensor in response.outputs:
        output = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if tensor.parameters:
            _write_parameters(tensor.parameters, output.parameters)
        elsewhere = "shared_memory_region" in tensor.parameters
        message.raw_output_contents.append(b"" if elsewhere else bytes(to_raw(tensor.data)))
    return message


def message_reader(
    raw: bytes, message: pb.ModelInferRequest, feeds: Sequence[Array]
) -> tuple[bytes, Read] | None:
    """What messages like this one begin with, and what reads the tensors from there on.

    None if the tensors are not the last that the message holds.
    """
    blobs = list(message.raw_input_contents)
    if [len(blob) for blob in blobs] != [feed.nbytes for feed in feeds]:
        return None
    leads = [_lead(_RAW_INPUT, len(blob)) for blob in blobs]
    tail = b"".join(lead + blob for lead, blob in zip(leads, blobs, strict=True))
    head = raw[: len(raw) - len(tail)]
    try:
        if not raw.endswith(tail) or pb.ModelInferRequest.FromString(head).raw_input_contents:
            return None
    except DecodeError:
        return None
    rows, end = [], 0
    for feed, lead in zip(feeds, leads, strict=True):
        start, end = end + len(lead), end + len(lead) + feed.nbytes
        rows.append((bytes_of(feed), lead, start - len(lead), start, end))

    def read(raw: bytes, at: int) -> bool:
        if len(raw) - at != end:
            return False
        for place, lead, begin, start, stop in rows:
            if not raw.startswith(lead, at + begin):
                return False
            place[:] = raw[at + start : at + stop]
        return True

    return head, read


def texts_before(response: InferResponse) -> list[bytes]:
    """The message of a response in pieces, each of them before the bytes of one tensor."""
    message = encode_response(response)
    leads = [_lead(_RAW_OUTPUT, len(blob)) for blob in message.raw_output_contents]
    del message.raw_output_contents[:]
    return [message.SerializeToString() + leads[0], *leads[1:]]


def _lead(tag: int, length: int) -> bytes:
    """What stands before so many bytes of a field."""
    varint = bytearray([tag])
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*varint, length])


def _write_parameters(parameters: Parameters, written: Any) -> None:
    for key, value in parameters.items():
        if isinstance(value, bool):
            written[key].bool_param = value
        elif isinstance(value, int):
            written[key].int64_param = value
        elif isinstance(value, float):
            written[key].double_param = value
        else:
            written[key].string_param = value
