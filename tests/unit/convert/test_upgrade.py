"""Old models come to a current opset, also where a converter wants numbers for free axes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.convert.upgrade import first_line, upgraded


def parsed(opset: int, text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 3, opset_import: ["" : {opset}]> g {text}')


def version(model: onnx.ModelProto) -> int:
    return model.opset_import[0].version


def test_the_opset_is_the_wished_one() -> None:
    model, notes = parsed(13, "(float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }"), list[str]()
    newer = upgraded(model, 17, notes)
    assert (version(newer), newer.ir_version, version(upgraded(model, 7, notes)), notes) == (17, 8, 13, [])


def test_free_axes_do_not_keep_a_model_old() -> None:
    text = "(float[N, ?, 2] x, float[2] b) => (float[N, ?, 2] y) { y = Add<broadcast = 1, axis = 2>(x, b) }"
    notes: list[str] = []
    newer = upgraded(parsed(6, text), 21, notes)
    assert (version(newer), notes) == (21, [])
    for value in (newer.graph.input[0], newer.graph.output[0]):
        shape = value.type.tensor_type.shape
        assert [size.dim_param or size.dim_value for size in shape.dim] == ["N", 0, 2]
    x, b = np.zeros((3, 4, 2), np.float32), np.array([1, 2], np.float32)
    (y,) = sardonyx.InferenceSession(newer.SerializeToString()).run(None, {"x": x, "b": b})
    np.testing.assert_array_equal(y, np.broadcast_to(b, x.shape))


@pytest.mark.parametrize(
    "body",
    [
        "y = Add<broadcast = 1, axis = 1>(x, x)",
        "y = Add<broadcast = 1, axis = 0>(x, b)  z = Reshape(b, s)",
    ],
)
def test_what_cannot_be_brought_up_stays_with_a_note(body: str) -> None:
    head = "(float[N, 2] x, float[N] b) => (float[N, 2] y) <int64[1] s = {1000003}>"
    notes: list[str] = []
    model = parsed(6, f"{head} {{ {body} }}")
    assert upgraded(model, 21, notes) is model
    assert notes[0].startswith("stays at opset 6: ONNX's version converter says ")


def test_an_error_without_words_is_its_kind() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError(" ")) == "ValueError"
