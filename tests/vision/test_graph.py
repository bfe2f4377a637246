"""What graphs of pictures begin with: pixels become scaled planes; roots have length 1."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.vision.graph import PICTURE, Graph

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def run(graph: Graph, output: str) -> np.ndarray:
    model = graph.finished("g", {output: (onnx.TensorProto.FLOAT, [1, 3, None, None])}, {"made": "here"})
    session = sardonyx.InferenceSession(model.SerializeToString())
    assert session.get_modelmeta().custom_metadata_map["made"] == "here"
    answer: np.ndarray = session.run(None, {PICTURE: PIXELS})[0]
    return answer


def test_pictures_are_planes_scaled_to_a_side() -> None:
    graph = Graph()
    planes = run(graph, graph.scaled("net", 20, graph.batch(PICTURE)))
    assert planes.shape == (1, 3, 20, 20)
    assert planes.mean() == pytest.approx((PIXELS.mean() - 127) / 128, abs=0.02)


def test_roots_have_length_one() -> None:
    graph = Graph()
    roots = run(graph, graph.rooted(graph.scaled("net", 8, graph.batch(PICTURE)), 1))
    np.testing.assert_allclose((roots**2).sum(1), 1, atol=1e-6)


def test_constants_of_one_name_stand_once() -> None:
    graph = Graph()
    for axis in (1, 2):
        graph.rooted(graph.node("Identity", ["x"], f"x{axis}"), axis)
    assert graph.constant("axis 1", np.array([1])) == "axis 1"
