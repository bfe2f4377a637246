"""Messages become requests and answers become messages; tensors that contradict themselves are refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.datatypes import DATATYPES, objects, to_raw
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.protobuf import decode_request, encode_response, message_reader, texts_before
from sardonyx.protocol.wire import inference_pb2 as pb
from tests.serve.test_malformed import mutated


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
        (message("INT8", int_contents=[1, 128]), "not a valid INT8"),
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


def known(size: int) -> tuple[bytes, pb.ModelInferRequest, list[Any]]:
    made = pb.ModelInferRequest(model_name="m", model_version="3")
    feeds = [np.zeros(size, np.int8), np.zeros(2, np.float32)]
    for name, feed in zip("xy", feeds, strict=True):
        kind = {"int8": "INT8", "float32": "FP32"}[str(feed.dtype)]
        made.inputs.add(name=name, datatype=kind, shape=feed.shape)
        made.raw_input_contents.append(feed.tobytes())
    return made.SerializeToString(), made, feeds


@pytest.mark.parametrize("size", [1, 127, 128, 20_000])
def test_messages_that_differ_in_tensors_alone_are_known(size: int) -> None:
    raw, made, feeds = known(size)
    found = message_reader(raw, made, feeds)
    assert found is not None
    head, read = found
    x, y = np.arange(size).astype(np.int8), np.float32([1.5, -2])
    made.raw_input_contents[:] = [x.tobytes(), y.tobytes()]
    other = made.SerializeToString()
    assert other.startswith(head)
    assert read(other, len(head))
    assert np.array_equal(feeds[0], x)
    assert np.array_equal(feeds[1], y)
    assert not read(other + b"\0", len(head))


def test_whatever_is_read_of_a_message_is_what_protobuf_reads() -> None:
    raw, made, feeds = known(16)
    found = message_reader(raw, made, feeds)
    assert found is not None
    head, read = found
    taken = 0
    for number in range(1500):
        text = head + mutated(raw[len(head) :], random.Random(number))
        if read(text, len(head)):
            taken += 1
            for tensor, feed in zip(
                decode_request(pb.ModelInferRequest.FromString(text)).inputs, feeds, strict=True
            ):
                assert tensor.data.tobytes() == feed.tobytes(), (number, text)
    assert taken > 10


def test_messages_whose_tensors_are_not_their_end_have_no_form() -> None:
    raw, made, feeds = known(3)
    late = pb.ModelInferRequest(id="7").SerializeToString()
    assert message_reader(raw + late, pb.ModelInferRequest.FromString(raw + late), feeds) is None
    made.raw_input_contents.pop()
    assert message_reader(made.SerializeToString(), made, feeds) is None


def test_the_texts_between_tensors_make_the_message_of_an_answer() -> None:
    arrays = [np.arange(300, dtype=np.int32), np.float32([[1, 2]])]
    outputs = [Tensor(n, k, a.shape, a) for n, k, a in zip("ab", ("INT32", "FP32"), arrays, strict=True)]
    response = InferResponse("m", "1", outputs)
    parts = zip(texts_before(response), arrays, strict=True)
    whole = b"".join(text + array.tobytes() for text, array in parts)
    assert pb.ModelInferResponse.FromString(whole) == encode_response(response)
