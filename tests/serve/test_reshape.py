"""What a configuration says of inputs and outputs: held against the model, and reshaped as it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.reshape import Reshape, configured
from sardonyx.serve.signature import Signature, signature_of
from tests.serve.models import repository
from tests.serve.running import background

FIXED = signature_of("m", [("x", "tensor(float)", (1, 3, 4))], [("y", "tensor(float)", (1, 2))])
ROWS = signature_of("m", [("x", "tensor(float)", ("N", 3, "K"))], [("y", "tensor(float)", ("N", 2))])
FLATTENED = """
<ir_version: 10, opset_import: ["" : 21]>
flattened (float[N, 1, 2, K] x) => (float[N, 1, M] y) <int64[3] shape = {0, 1, -1}> {
    y = Reshape(x, shape)
}
"""
FLATTENED_CONFIG = """
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2, -1 ] reshape { shape: [ 1, 2, -1 ] } } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] reshape { shape: [ 1, -1 ] } } ]
"""


def row(name: str, dims: list[int], shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """As JSON has it: sizes are texts, an empty list is not there."""
    reshape = {} if not shape else {"shape": [str(size) for size in shape]}
    told = {} if shape is None else {"reshape": reshape}
    return {"name": name, "dims": [str(size) for size in dims], **told, **more}


def ones(signature: Signature) -> Any:
    def call(feeds: Any, wanted: Any = None) -> Any:
        (x,) = feeds
        assert signature.inputs[0].takes(x.shape)
        return [np.ones((x.shape[0], 2), np.float32)]

    return call


@pytest.mark.parametrize("config", [{}, {"input": [{"name": "x"}]}, {"input": [row("x", [3, 4])]}])
def test_what_reshapes_nothing_is_left_as_it_is(config: dict[str, Any]) -> None:
    call = ones(FIXED)
    assert configured(config, FIXED, call) == (FIXED, call)


def test_a_model_without_rows() -> None:
    config = {"input": [row("x", [3, 4], [1, 3, 4])], "output": [row("y", [2], [1, 2])]}
    signature, call = configured(config, FIXED, ones(FIXED))
    assert (signature.inputs[0].shape, signature.outputs[0].shape) == ((3, 4), (2,))
    assert [array.shape for array in call([np.zeros((3, 4), np.float32)], (0,))] == [(2,)]
    with pytest.raises(ServeError, match="expected|Expected"):
        signature.feeds([])


def test_rows_stay_in_front_and_free_sizes_keep_their_order() -> None:
    config = {"input": [row("x", [-1, 3], [3, -1])]}
    signature, call = configured(config, ROWS, ones(ROWS))
    assert signature.inputs[0].shape == (-1, -1, 3)
    assert signature.batches
    assert call([np.zeros((5, 7, 3), np.float32)], None)[0].shape == (5, 2)


def test_a_model_whose_rows_are_reshaped_away_joins_none() -> None:
    signature, _ = configured({"input": [row("x", [3, -1], [1, 3, -1])]}, ROWS, ones(ROWS))
    assert not signature.batches


def test_one_value_is_the_empty_shape() -> None:
    single = signature_of("m", [("x", "tensor(float)", ())], [("y", "tensor(float)", (1,))])
    _, call = configured({"input": [row("x", [1], [])]}, single, lambda feeds, wanted: [feeds[0][None]])
    assert call([np.array([7], np.float32)], None)[0].tolist() == [7]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (row("z", [3, 4]), "the configuration has an input 'z', the file has x"),
        (row("x", [3, 4], data_type="TYPE_INT8"), "input 'x' is TYPE_INT8 in the configuration, TYPE_FP32"),
        (row("x", [3, 5]), r"input 'x' has \[3, 5\] in the configuration, \[1, 3, 4\] in the file"),
        (row("x", [4]), r"input 'x' has \[4\]"),
        (row("x", [3, 4], [1, 4, 3]), r"input 'x' has \[1, 4, 3\]"),
        (row("x", [3, 5], [1, 3, 4]), r"cannot be reshaped from \[3, 5\] to \[1, 3, 4\]"),
        (row("x", [-1, 4], [1, 3, 4]), "cannot be reshaped"),
    ],
)
def test_what_contradicts_the_model_is_refused(told: dict[str, Any], reason: str) -> None:
    with pytest.raises(ServeError, match=reason) as refused:
        configured({"input": [told]}, FIXED, ones(FIXED))
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_an_answer_of_another_shape_is_an_error_that_says_so() -> None:
    _, call = configured({"output": [row("y", [2], [1, 2])]}, FIXED, lambda *_: [np.ones(6, np.float32)])
    with pytest.raises(ServeError, match="does not reshape") as failed:
        call([np.zeros((1, 3, 4), np.float32)], None)
    assert failed.value.code is Code.INTERNAL


def test_a_reshape_counts_axes() -> None:
    with pytest.raises(ValueError, match=r"\[2, 3\] is not a shape like \[-1\]"):
        Reshape((-1,), (1, -1))(np.zeros((2, 3)))


def test_a_client_sees_the_shapes_of_the_configuration(tmp_path: Path) -> None:
    def ask(client: httpx.Client, rows: int) -> Any:
        data = np.arange(rows * 2 * 3, dtype=np.float32).reshape(rows, 2, 3)
        tensor = {"name": "x", "datatype": "FP32", "shape": [rows, 2, 3], "data": data.tolist()}
        reply = client.post("/v2/models/flattened/infer", json={"inputs": [tensor]}).json()
        assert np.array_equal(reply["outputs"][0]["data"], data.reshape(-1)), reply
        return reply["outputs"][0]["shape"]

    with background(repository(tmp_path, {"flattened": (FLATTENED, FLATTENED_CONFIG)})) as client:
        assert client.get("/v2/models/flattened").json()["inputs"][0]["shape"] == [-1, 2, -1]
        assert [ask(client, rows) for rows in (1, 4)] == [[1, 6], [4, 6]]
