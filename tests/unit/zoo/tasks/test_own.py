"""Models of one's own say what they are for, and answer like those of the zoo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from sardonyx.zoo import FetchError, pipeline
from sardonyx.zoo.tasks import task_of_file
from sardonyx.zoo.tasks.own import make, task_of

CLASSIFIER = """
<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>
g (uint8[height, width, 3] picture) => (string[1] label, float[1, 2] probabilities)
<int64[2] plane = {0, 1}, int64[1] none = {0}, int64[1] two = {2}, int64[1] last = {0}> {
    wide = Cast<to = 1>(picture)
    means = ReduceMean<keepdims = 0>(wide, plane)
    part = Slice(means, none, two)
    row = Unsqueeze(part, last)
    probabilities = Softmax(row)
    best = ArgMax<axis = 1, keepdims = 0>(row)
    label = ai.onnx.ml.LabelEncoder<keys_int64s = [0, 1], values_strings = ["red", "green"]>(best)
}
"""
DETECTOR = """
<ir_version: 10, opset_import: ["" : 20]>
g (uint8[height, width, 3] picture) => (float[1, 4] boxes, string[1] labels, float[1] scores)
<float[1, 4] box = {0.25, 0.5, 0.75, 1}, float[1] score = {0.875}, int64[4] order = {1, 0, 1, 0}> {
    size = Shape<end = 2>(picture)
    real = Cast<to = 1>(size)
    sides = Gather(real, order)
    boxes = Mul(box, sides)
    scores = Identity(score)
    labels = Constant<value_strings = ["cat"]>()
}
"""
TABLE = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[N, 1] a, float[N, 1] b) => (float[N, 1] sum) { sum = Add(a, b) }
"""
PLAIN = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[N, 3] a) => (float[N, 3] b) { b = Identity(a) }
"""


def saved(folder: Path, text: str, **facts: str) -> str:
    model = onnx.parser.parse_model(text)
    onnx.helper.set_model_props(model, facts)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return str(path)


def test_pictures_are_classified(tmp_path: Path) -> None:
    model = saved(tmp_path, CLASSIFIER, task="image-classification", labels='["red", "green"]')
    picture = Image.new("RGB", (7, 5), (3, 5, 9))
    for answer in (pipeline(model)(picture), pipeline("classify", model)(picture)):
        assert answer.data["label"] == "green" and answer.data["classes"][0]["label"] == "green"
        assert answer.text.splitlines()[0] == " 88.1%  green"


def test_boxes_are_drawn(tmp_path: Path) -> None:
    model = saved(tmp_path, DETECTOR, task="object-detection", labels='["cat"]')
    answer = pipeline(model)(np.zeros((40, 80, 3), np.uint8))
    assert answer.data == [{"label": "cat", "score": 0.875, "box": [20.0, 20.0, 60.0, 40.0]}]
    assert answer.picture is not None and np.asarray(answer.picture).any()


def test_columns_are_a_table(tmp_path: Path) -> None:
    model = saved(tmp_path, TABLE)
    assert task_of(model) == "table" and task_of_file(model).name == "table"
    (tmp_path / "rows.csv").write_text("b,a\n1,2\n3,4\n")
    assert [row["sum"] for row in pipeline(model)(tmp_path / "rows.csv").data] == [[3.0], [7.0]]


def test_what_says_nothing_of_itself_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path, PLAIN)
    with pytest.raises(FetchError, match=r"does not say what it is for; --model .* classify, detect, table"):
        pipeline(model)
    with pytest.raises(
        FetchError, match="is not a model of detect from uint8 pictures to boxes, labels, scores"
    ):
        make("detect", model)
    with pytest.raises(FetchError, match="the task ocr has the models"):
        pipeline("ocr", model)
