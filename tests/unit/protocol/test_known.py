"""What a known text stands for is read as the ordinary way reads it, and nothing else is taken for it."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.known import Read, list_text, raw_reader, text_reader, texts_around
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.rest import decode_request, encode_response
from tests.serve.test_malformed import mutated

MANY = 1500


def body_of(*rows: dict[str, Any], **beside: Any) -> bytes:
    return json.dumps({"inputs": list(rows), **beside}).encode()


def row(name: str, data: Any, datatype: str = "FP32", shape: tuple[int, ...] = (1, 3)) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def reader_of(body: bytes) -> tuple[list[np.ndarray], int, Read] | None:
    asked = decode_request("m", "", body)
    feeds = [np.zeros_like(tensor.data) for tensor in asked.inputs]
    found = text_reader(body, asked, feeds)
    return None if found is None else (feeds, len(found[0]), found[1])


TWO = body_of(row("x", [1, 2.5, -3]), row("y", [[7, 8, 9]], "INT16"), outputs=[{"name": "z"}])


@pytest.mark.parametrize(
    ("x", "y"), [("[1,2,3]", "[4,5,6]"), ("[ 1e39, -0.0, 7 ]", "[[4,5,-6]]"), ("[[1,2,3]]", "[32767,0,1]")]
)
def test_lists_are_read_where_they_stand(x: str, y: str) -> None:
    found = reader_of(TWO)
    assert found is not None
    feeds, at, read = found
    text = TWO.replace(b"[1, 2.5, -3]", x.encode()).replace(b"[[7, 8, 9]]", y.encode())
    assert read(text, at)
    for tensor, feed in zip(decode_request("m", "", text).inputs, feeds, strict=True):
        assert np.array_equal(tensor.data, feed)
        assert np.array_equal(np.signbit(tensor.data), np.signbit(feed))


@pytest.mark.parametrize(
    "x",
    ["[1,2]", "[1,2,3,4]", "[true,2,3]", "[null,2,3]", '["1",2,3]', "[1,2,3", "NaN", "[[1],[2],[3]]"],
)
def test_other_lists_go_the_ordinary_way(x: str) -> None:
    found = reader_of(TWO)
    assert found is not None
    assert not found[2](TWO.replace(b"[1, 2.5, -3]", x.encode()), found[1])


@pytest.mark.parametrize("y", ["[32768,0,1]", "[1.0,2,3]", "[1,2,3]}, {}"])
def test_numbers_of_another_type_go_the_ordinary_way(y: str) -> None:
    found = reader_of(TWO)
    assert found is not None
    assert not found[2](TWO.replace(b"[[7, 8, 9]]", y.encode()), found[1])


@pytest.mark.parametrize(
    "body",
    [
        body_of(row('"data": [1]', [1, 2, 3])),
        body_of({**row("x", [1, 2, 3]), "data": [1, 2, 3], "parameters": {"data": "[1]"}}),
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1], "data": [2]}]}',
        b'{"data": [1], "inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [2]}]}',
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "d\\u0061ta": [2]}]}',
    ],
)
def test_keys_and_texts_that_look_like_tensors_are_no_tensors(body: bytes) -> None:
    """What is found stands where the tensor stands; else nothing is."""
    found = reader_of(body)
    if found is not None:
        assert found[2](body, found[1])
        (tensor,) = decode_request("m", "", body).inputs
        assert np.array_equal(found[0][0], tensor.data)


def test_whatever_is_read_is_what_the_ordinary_way_reads() -> None:
    found = reader_of(TWO)
    assert found is not None
    feeds, at, read = found
    taken = 0
    for number in range(MANY):
        text = TWO[:at] + mutated(TWO[at:], random.Random(number))
        if not read(text, at):
            continue
        taken += 1
        try:
            ordinary = decode_request("m", "", text)
        except ServeError as error:
            pytest.fail(f"{number}: {text!r} was read: {error.message}")
        for tensor, feed in zip(ordinary.inputs, feeds, strict=True):
            assert np.array_equal(tensor.data, feed), (number, text)
        assert [output.name for output in ordinary.outputs or ()] == ["z"], (number, text)
    assert taken > 10


def test_raw_tensors_are_read_where_they_lie() -> None:
    x, y = np.float32([[1, 2]]), np.int64([3])
    feeds = [np.zeros_like(x), np.zeros_like(y)]
    read = raw_reader(feeds)
    assert read(b"head" + x.tobytes() + y.tobytes(), 4)
    assert np.array_equal(feeds[0], x)
    assert np.array_equal(feeds[1], y)
    assert not read(b"head" + x.tobytes() + y.tobytes() + b"\0", 4)
    assert not read(b"head" + x.tobytes(), 4)


@pytest.mark.parametrize("value", [np.float32([[1.5, -2]]), np.int8([[3, 4]]), np.float64([[1e300, 0.1]])])
def test_answers_are_written_as_the_ordinary_way_writes_them(value: np.ndarray) -> None:
    kind = {"float32": "FP32", "int8": "INT8", "float64": "FP64"}[str(value.dtype)]
    outputs = [Tensor(name, kind, value.shape, value) for name in ("a", 'b"data":[]')]
    response = InferResponse("m", "1", outputs)
    asked = decode_request("m", "", body_of(row("x", [1, 2, 3])))
    first, *texts = texts_around(response, asked)
    lists = [list_text(tensor.data) for tensor in outputs]
    assert None not in lists
    whole = first + b"".join((part or b"") + text for part, text in zip(lists, texts, strict=True))
    assert whole == encode_response(response, asked)[0]


def test_what_is_no_number_of_json_is_left_to_the_ordinary_way() -> None:
    assert list_text(np.float32([1, np.nan])) is None
    assert list_text(np.float64([np.inf])) is None
