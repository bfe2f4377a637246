"""Messages become requests and answers become messages; tensors that contradict themselves are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.datatypes import DATATYPES, objects, to_raw
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.protobuf import decode_request, encode_response
from sardonyx.protocol.wire import inference_pb2 as pb


def message(datatype: str = "FP32", shape: tuple[int, ...] = (2,), **contents: Any) -> pb.ModelInferRequest:
    made = pb.ModelInferRequest(model_name="m", model_version="3", id="7")
    tensor = made.inputs.add(name="x", datatype=datatype, shape=shape)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    return made


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("FP32", "fp32_contents", [1.5, 2]),
        ("INT8", "int_contents", [-128, 127]),
        ("UINT64", "uint64_contents", [0, 2**64 - 1]),
        ("BOOL", "bool_contents", [True, False]),
        ("BYTES", "bytes_contents", [b"a", b""]),
    ],
)
def test_contents_and_raw_contents_say_the_same(datatype: str, field: str, values: list[Any]) -> None:
    plain = decode_request(message(datatype, **{field: values}))
    (tensor,) = plain.inputs
    assert (plain.model, plain.version, plain.id, plain.outputs) == ("m", "3", "7", None)
    assert tensor.data.tolist() == values
    raw = message(datatype)
    array = objects(values) if datatype == "BYTES" else np.array(values, DATATYPES[datatype].numpy)
    raw.raw_input_contents.append(bytes(to_raw(array)))
    assert decode_request(raw).inputs[0].data.tolist() == values


@pytest.mark.parametrize(
    ("made", "message_"),
    [
        (message("INT8", int_contents=[1, 128]), "no INT8"),
        (message("FP32", fp32_contents=[1]), "unexpected number of elements"),
        (message("FP16"), "raw_input_contents"),
        (message("FP32", (-1,)), "whole numbers from 0 on"),
        (message("FP8"), "datatype 'FP8'"),
    ],
)
def test_contradictions_are_named(made: pb.ModelInferRequest, message_: str) -> None:
    with pytest.raises(ServeError, match=message_):
        decode_request(made)


def test_as_many_raw_contents_as_inputs() -> None:
    more, both, fewer = message(), message(fp32_contents=[1, 2]), message()
    more.raw_input_contents.extend([bytes(8), bytes(8)])
    both.raw_input_contents.append(bytes(8))
    fewer.inputs.add(name="z", datatype="FP32", shape=(2,))
    fewer.raw_input_contents.append(bytes(8))
    for made, text in ((more, "expected 1"), (both, "must not be specified"), (fewer, "fewer")):
        with pytest.raises(ServeError, match=text):
            decode_request(made)


def test_answers_with_parameters_of_every_kind() -> None:
    shared = Tensor("s", "FP32", (2,), np.float32([1, 2]), {"shared_memory_region": "r"})
    plain = Tensor("y", "INT32", (1,), np.int32([5]))
    parameters: Any = {"b": True, "i": 3, "f": 0.5, "s": "t"}
    made = encode_response(InferResponse("m", "1", [plain, shared], "7", parameters))
    assert [bytes(raw) for raw in made.raw_output_contents] == [np.int32([5]).tobytes(), b""]
    back = {
        key: getattr(value, value.WhichOneof("parameter_choice")) for key, value in made.parameters.items()
    }
    assert back == parameters
    assert type(back["b"]) is bool
