"""Arrays go to the server and come back bit for bit; answers that are none are told as the server's fault."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import orjson
import pytest

from sardonyx.client.wire import Answer, decoded, encoded
from sardonyx.protocol.errors import Code, ServeError

ARRAYS: dict[str, Any] = {
    "f": np.array([[1.5, np.nan]], np.float32),
    "big": np.arange(3, dtype=">i4"),
    "half": np.array([1, 2], ml_dtypes.bfloat16),
    "flags": np.array([True, False]),
    "texts": np.array(["é", b"\xff"], object),
    "none": np.zeros((0, 3), np.int64),
}


def echoed(body: bytes, border: int) -> bytes:
    """An answer whose outputs are the inputs of a request."""
    document = orjson.loads(body[:border])
    told = {
        "model_name": "m",
        "model_version": "2",
        "outputs": document["inputs"],
        "id": document.get("id", ""),
    }
    return orjson.dumps(told)


def test_there_and_back() -> None:
    body, border = encoded(ARRAYS, ["y"], "7", {"p": 1})
    document = orjson.loads(body[:border])
    assert document["outputs"] == [{"name": "y", "parameters": {"binary_data": True}}]
    assert (document["id"], document["parameters"]) == ("7", {"p": 1, "binary_data_output": True})
    header = echoed(body, border)
    answer = decoded(header + body[border:], len(header))
    assert (answer.model, answer.version, answer.id) == ("m", "2", "7")
    assert list(answer.outputs) == list(ARRAYS)
    for name in ("f", "half", "flags", "none"):
        assert answer[name].tobytes() == ARRAYS[name].tobytes()
        assert (answer[name].dtype, answer[name].shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
    assert answer["big"].tolist() == [0, 1, 2]
    assert answer["texts"].tolist() == ["é".encode(), b"\xff"]


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        ([1.5], "FP32"),
        ([1], "INT64"),
        (["a"], "BYTES"),
        (2.5, "FP32"),
        (np.float64([1]), "FP64"),
        (True, "BOOL"),
    ],
)
def test_python_values_take_the_usual_types(value: Any, datatype: str) -> None:
    body, border = encoded({"x": value}, None, "", None)
    assert orjson.loads(body[:border])["inputs"][0]["datatype"] == datatype


def test_what_is_no_tensor() -> None:
    for bad in (np.zeros(2, complex), np.zeros(2, "M8[s]")):
        with pytest.raises(ValueError, match="input 'x'"):
            encoded({"x": bad}, None, "", None)


def test_answers_in_json() -> None:
    tensor = {"name": "y", "shape": [2], "datatype": "INT32", "data": [1, 2]}
    answer = decoded(orjson.dumps({"model_name": "m", "outputs": [tensor]}), None)
    assert isinstance(answer, Answer)
    assert (answer["y"].tolist(), answer.version, answer["y"].dtype) == ([1, 2], "", np.int32)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"outputs": []}',
        b'{"model_name": "m", "outputs": [{"name": "y", "shape": [2], "datatype": "INT32", "data": [1]}]}',
        b'{"model_name": "m", "outputs": [{"name": "y", "shape": [2], "datatype": "ODD", "data": [1, 2]}]}',
        b'{"model_name": "m", "outputs": [{"name": "y", "shape": [1], "datatype": "INT32",'
        b' "parameters": {"binary_data_size": 4}}]}',
    ],
)
def test_answers_that_are_none(body: bytes) -> None:
    with pytest.raises(ServeError, match="cannot be read") as told:
        decoded(body, None)
    assert told.value.code is Code.INTERNAL
