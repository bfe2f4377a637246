"""Bodies of JSON, with tensors behind it or in it, become requests; answers become bodies."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import InferRequest, InferResponse, RequestedOutput, Tensor
from sardonyx.protocol.rest import decode_request, encode_response, parse

PLAIN = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]}


def body(**changes: Any) -> bytes:
    return json.dumps({**PLAIN, **changes}).encode()


def binary(size: int = 8, **tensor: Any) -> tuple[bytes, int]:
    """A body with 8 bytes behind its JSON, and where those begin."""
    row = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": size}, **tensor}
    text = json.dumps({"inputs": [row]}).encode()
    return text + np.float32([1, 2]).tobytes(), len(text)


def test_tensors_in_the_text_and_behind_it() -> None:
    for _ in range(3):
        for request in (decode_request("m", "1", body()), decode_request("m", "1", *binary())):
            (tensor,) = request.inputs
            assert (tensor.name, tensor.shape, tensor.data.tolist()) == ("x", (2,), [1, 2])
            assert tensor.parameters == {}
    whole = decode_request("m", "", b"abc", 0)
    assert whole.inputs[0].data.tobytes() == b"abc"
    assert whole.parameters == {"binary_data_output": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "failed to parse"),
        (b'{"inputs": [], "id": "\\ud800"}', "failed to parse"),
        (
            b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [NaN]}], "id": "\\uDC00"}',
            "parse",
        ),
        (b'{"inputs": [], "id": "\xed\xa0\x80"}', "failed to parse"),
        (b"[]", "JSON object with 'inputs'"),
        (b'{"inputs": 5}', "a list of tensors"),
        (body(inputs=[5]), "must be an object"),
        (body(inputs=[{"shape": [1]}]), "no 'name'"),
        (body(inputs=[{"name": "x", "datatype": "FP32"}]), "no 'shape'"),
        (body(inputs=[{"name": "x", "datatype": "FP32", "shape": [-1], "data": []}]), "from 0 on"),
        (body(inputs=[{"name": "x", "datatype": "FP32", "shape": [True], "data": []}]), "from 0 on"),
        (body(inputs=[{"name": "x", "datatype": "FP32", "shape": [1]}]), "has no 'data'"),
        (body(id=5), "'id' of the request must be a string"),
        (body(parameters=[]), "must be an object"),
        (body(parameters={"a": []}), "must be a string, a number or a bool"),
        (body(outputs={}), "'outputs' must be a list"),
        (body(outputs=[{}]), "an output has no 'name'"),
    ],
)
def test_mistakes_are_named(text: bytes, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        decode_request("m", "", text)


def test_numbers_that_json_lacks_may_stand_beside_texts_of_any_planes() -> None:
    assert parse(b'{"a": NaN, "b": "\\ud83d\\ude00 \\\\ud800"}')["b"] == "\U0001f600 \\ud800"


def test_sizes_behind_the_text_are_checked() -> None:
    for made, message in (
        (binary(9), "9 bytes announced, 8 are left"),
        (binary(-1), "must be a number of bytes"),
        (binary(data=[1, 2]), "give one of them"),
        (binary(4, shape=[1]), "belong to no input"),
    ):
        with pytest.raises(ServeError, match=message):
            decode_request("m", "", *made)
    with pytest.raises(ServeError, match="is 99, the body has 2 bytes"):
        decode_request("m", "", b"{}", 99)


def response(*tensors: Tensor, **more: Any) -> InferResponse:
    return InferResponse("m", "1", list(tensors), **more)


def test_answers_are_json_or_bytes_as_asked() -> None:
    y = Tensor("y", "FP32", (2,), np.float32([1, np.inf]))
    z = Tensor("z", "INT64", (1,), np.array([2**60]))
    request = InferRequest(
        "m", [], outputs=[RequestedOutput("y"), RequestedOutput("z", {"binary_data": True})]
    )
    text, blobs = encode_response(response(y, z, id="7"), request)
    document = parse(text)
    assert document["id"] == "7"
    assert document["outputs"][0]["data"] == [1, float("inf")]
    assert document["outputs"][1]["parameters"] == {"binary_data_size": 8}
    assert b"".join(blobs) == z.data.tobytes()


def test_equal_answers_have_the_same_text_and_their_own_bytes() -> None:
    request = InferRequest("m", [], parameters={"binary_data_output": True})
    answers = [encode_response(response(Tensor("y", "FP32", (1,), np.float32([n]))), request) for n in (1, 2)]
    assert answers[0][0] == answers[1][0]
    assert [bytes(blobs[0]) for _, blobs in answers] == [np.float32([n]).tobytes() for n in (1, 2)]


def test_outputs_in_shared_memory_say_where_and_that_nothing_follows() -> None:
    where: Any = {"shared_memory_region": "r", "shared_memory_byte_size": 8}
    tensor = Tensor("y", "FP32", (2,), np.zeros(2, np.float32), where)
    text, blobs = encode_response(InferResponse("m", "1", [tensor]), decode_request("m", "", body()))
    (output,) = json.loads(text)["outputs"]
    assert output["parameters"] == {**where, "binary_data_size": 0}
    assert "data" not in output
    assert not blobs
