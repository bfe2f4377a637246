"""What formulas of estimators are written with says what it should of rows."""

from __future__ import annotations

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular.sklearn_outputs import best, lowest, named, total

ROWS = np.array([[3.0, 1.0, 2.0], [1.0, 5.0, 5.0]])


def test_sums_places_and_names() -> None:
    graph = GraphWriter()
    made = {
        "sum": (graph.node("Identity", [total(graph, "x", 1)]), [[6.0], [11.0]]),
        "best": (best(graph, "x"), [0, 1]),
        "lowest": (lowest(graph, "x", 2), [[1, 2], [0, 1]]),
    }
    label = named(graph, made["best"][0], np.array(["a", "b", "c"]))
    outputs = [name for name, _ in made.values()]
    model = graph.model(
        "g",
        {"x": (onnx.TensorProto.DOUBLE, ["batch", 3])},
        {name: (onnx.TensorProto.INT64, ["batch"]) for name in (*outputs, label)},
        {"": 21, "ai.onnx.ml": 3},
        10,
    )
    answers = ReferenceEvaluator(model).run(None, {"x": ROWS})
    assert [answer.tolist() for answer in answers] == [*(told for _, told in made.values()), ["a", "b"]]
