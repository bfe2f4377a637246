"""Plain JSON in all its forms becomes the tensors that a model takes, and its answers plain JSON."""

from __future__ import annotations

import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.rest import write_all
from sardonyx.protocol.tables import Columns
from sardonyx.serve.http.plain import answered, generated, generating, scored
from sardonyx.serve.signature import Port, Signature

MATRIX = Signature("m", (Port("x", "FP32", (None, 2)),), (), True)
COLUMNS = Signature("c", (Port("a", "INT64", (None, 1)), Port("b", "BYTES", (None, 1))), (), True)
TEXTS = Signature("t", (Port("prompt", "BYTES", (1,)), Port("top", "INT64", (1,))), (), False)


def read_by_columns(**columns: Any) -> Columns:
    return Columns(columns)


@pytest.mark.parametrize(
    "document",
    [
        [[1, 2], [3, 4]],
        {"input_data": [[1, 2], [3, 4]]},
        {"instances": [[1, 2], [3, 4]]},
        {"inputs": {"x": [[1, 2], [3, 4]]}},
        {"data": {"x": [[1, 2], [3, 4]]}},
        {"x": [[1, 2], [3, 4]]},
        {"dataframe_split": {"columns": ["p", "q"], "data": [[1, 2], [3, 4]]}},
        {"dataframe_records": [{"p": 1, "q": 2}, {"p": 3, "q": 4}]},
        {"dataframe_records": read_by_columns(p=np.array([1, 3]), q=np.array([2, 4]))},
        {"dataframe_records": read_by_columns(p=[1, 3], q=np.array([2, 4]))},
    ],
)
def test_forms_of_one_matrix(document: Any) -> None:
    (tensor,) = scored(document, MATRIX).inputs
    assert (tensor.name, tensor.datatype, tensor.shape) == ("x", "FP32", (2, 2))
    assert tensor.data.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "document",
    [
        {"input_data": {"columns": ["b", "a"], "data": [["u", 1], ["v", 2]]}},
        {"input_data": [{"b": "u", "a": 1}, {"b": "v", "a": 2}]},
        {"input_data": {"a": [1, 2], "b": ["u", "v"]}},
        {"a": [[1], [2]], "b": [["u"], ["v"]]},
        {"input_data": read_by_columns(b=["u", "v"], a=np.array([1, 2]))},
        read_by_columns(b=["u", "v"], a=[1, 2]),
    ],
)
def test_forms_of_columns(document: Any) -> None:
    a, b = scored(document, COLUMNS).inputs
    assert (a.name, a.shape, a.data.reshape(-1).tolist()) == ("a", (2, 1), [1, 2])
    assert (b.name, b.shape, b.data.reshape(-1).tolist()) == ("b", (2, 1), [b"u", b"v"])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([1], "several inputs; give them by name: a, b"),
        ({"q": [1]}, "no input 'q'; it takes a, b"),
        ({"input_data": {"columns": ["a", "q"], "data": [[1, 2]]}}, "columns must be the inputs"),
        ({"input_data": {"columns": ["a", "b"], "data": [[1]]}}, "must have 2 values"),
        ({"input_data": {"columns": "ab", "data": [[1, 2]]}}, "'columns', a list"),
        ([{"a": 1, "b": "u"}, {"a": 1}], "same columns"),
        (read_by_columns(a=np.array([1, 2]), q=["u", "v"]), "columns must be the inputs"),
        (
            read_by_columns(a=np.array([1, 2]), b=["u", None]),
            "strings for BYTES; element 1 is null",
        ),
        ({"a": ["text"]}, "'a'"),
    ],
)
def test_what_fits_no_form(document: Any, said: str) -> None:
    with pytest.raises(ServeError, match=said):
        scored(document, COLUMNS)


def test_axes_that_a_value_lacks_are_added() -> None:
    one = Signature("m", (Port("x", "FP32", (None, None, 2)),), (), True)
    assert scored([5, 6], one).inputs[0].shape == (1, 1, 2)
    column = Signature("m", (Port("x", "FP32", (None, 1)),), (), True)
    assert scored([5, 6, 7], column).inputs[0].shape == (3, 1)
    assert scored(5, column).inputs[0].shape == (1, 1)


def test_tables_of_arrays() -> None:
    table = {"columns": ["p", "q"], "data": np.float64([[1, 2], [3, 4]])}
    assert scored({"input_data": table}, MATRIX).inputs[0].data.tolist() == [[1, 2], [3, 4]]
    names = {"columns": ["y", "x"], "data": table["data"]}
    pair = Signature("m", (Port("x", "FP32", (None, 1)), Port("y", "FP32", (None, 1))), (), True)
    assert [t.data.tolist() for t in scored({"data": names}, pair).inputs] == [[[2], [4]], [[1], [3]]]
    for wrong in (np.ones(2), np.ones((2, 3))):
        with pytest.raises(ServeError, match="must have 2 values"):
            scored({"data": {"columns": ["p", "q"], "data": wrong}}, MATRIX)


def answer(**outputs: Any) -> InferResponse:
    made = [
        Tensor(n, "BYTES" if np.asarray(a).dtype == object else "FP32", np.shape(a), np.asarray(a))
        for n, a in outputs.items()
    ]
    return InferResponse("m", "3", made)


def written(**outputs: Any) -> Any:
    return json.loads(write_all(*answered(answer(**outputs)), "words"))


def test_answers_are_lists() -> None:
    assert written(y=np.float32([[1, 2]])) == [[1, 2]]
    half = np.array([1.5], ml_dtypes.bfloat16)
    texts = np.array([b"\xc3\xa9", "e", b"\xff"], object)
    assert written(y=half, z=texts) == {"y": [1.5], "z": ["é", "e", "\ufffd"]}
    assert written(y=np.float32(3)) == 3
    assert written(y=np.arange(6.0).reshape(2, 3).T) == [[0, 3], [1, 4], [2, 5]]
    assert written(y=np.empty((2, 0), np.int64)) == [[], []]
    assert written(y=np.empty((0, 2), bool)) == []
    assert written(a=np.uint64([2**64 - 1]), b=np.float16([0.5])) == {"a": [2**64 - 1], "b": [0.5]}


def test_numbers_of_answers_are_as_short_as_their_type_allows() -> None:
    tenth = answer(y=np.float32([0.1]))
    assert write_all(*answered(tenth), "words") == b"[0.1]"
    infinite = answer(y=np.float32([0.5, np.inf]), z=np.float32([1]))
    assert write_all(*answered(infinite), "words") == b'{"y":[0.5,Infinity],"z":[1.0]}'
    assert write_all(*answered(infinite), "null") == b'{"y":[0.5,null],"z":[1.0]}'


def test_generation() -> None:
    request = generating(
        {"text_input": "hi", "id": 7, "parameters": {"top": 3, "temperature": 0.5, "stop": ["x"]}}, TEXTS
    )
    assert [(t.name, t.data.tolist()) for t in request.inputs] == [("prompt", [b"hi"]), ("top", [3])]
    assert (request.id, request.parameters) == ("7", {"temperature": 0.5})
    found = generated(answer(out=np.array([b"yes"], object), score=np.float32([1, 2])))
    assert found == {"model_name": "m", "model_version": "3", "text_output": "yes", "score": [1, 2]}
    with pytest.raises(ServeError, match="'parameters' must be an object"):
        generating({"parameters": [1]}, TEXTS)
    with pytest.raises(ServeError, match="not one BYTES input"):
        generating({"text_input": "hi"}, MATRIX)
