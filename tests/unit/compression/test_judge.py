"""Errors of a model and of each node alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sardonyx.compression import dynamic, judge
from sardonyx.compression.judge import Sum, errors_by_node, fewest_left_alone, judged
from tests.unit.compression.models import drawn, model, two_layers


def _sum(expected: object, found: object) -> Sum:
    total = Sum()
    total.add(np.asarray(expected), np.asarray(found))
    return total


def test_errors_are_parts_of_the_values() -> None:
    assert _sum([3.0, 4.0], [3.0, 4.5]).error == pytest.approx(0.1)
    assert _sum([0.0], [0.0]).error == 0
    assert _sum([0.0], [1.0]).error == 1
    assert _sum([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0]).error == 0
    assert _sum([1.0], [np.inf]).error == np.inf
    assert _sum([-3e38, 1.0], [-65504.0, 1.0]).error == 0


def test_answers_that_differ_are_counted() -> None:
    assert _sum([[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [0.4, 0.6]]).share_unlike == 0.5
    assert _sum([1, 2, 3], [1, 2, 4]).share_unlike == pytest.approx(1 / 3)
    assert _sum(["a"], ["a"]).share_unlike == 0


def test_a_result_of_another_shape_is_wrong_as_a_whole() -> None:
    boxes = _sum([[0.1, 0.9]], [[0.1, 0.9], [0.8, 0.2]])
    assert (boxes.error, boxes.share_unlike) == (np.inf, 1)
    places = _sum([1, 2, 3], [1, 2])
    assert (places.error, places.share_unlike) == (0, 1)


def test_sequences_are_compared_one_by_one() -> None:
    total = Sum()
    total.add([np.float32([3, 4]), np.float32([0])], [np.float32([3, 4.5]), np.float32([0])])
    assert total.error == pytest.approx(0.1)


def test_maps_are_compared_by_their_numbers() -> None:
    total = Sum()
    total.add([{0: 3.0, 1: 4.0}], [{0: 3.0, 1: 4.5}])
    assert total.error == pytest.approx(0.1) and total.share_unlike == 0


def test_a_sequence_of_another_length_is_wrong() -> None:
    total = Sum()
    total.add([np.float32([3, 4]), np.float32([1])], [np.float32([3, 4])])
    assert total.error == np.inf


def test_two_models_side_by_side() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N] x) => (float[N] y) { y = Mul (x, w) }"""
    one, other = model(text, w=np.float32([2])), model(text, w=np.float32([2.2]))
    found = judged(one, other, [{"x": np.float32([1, 2])}])
    assert found.error == pytest.approx(0.1, rel=1e-5)
    assert found.errors == {"y": found.error}
    assert all(0 < seconds < 1 for seconds in found.seconds)


def test_of_short_runs_few_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "SECONDS", 60.0)
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[2] x) => (float[2] y) { y = Abs (x) }"""
    made, began = model(text), time.perf_counter()
    assert all(0 < seconds < 1 for seconds in judged(made, made, [{"x": np.zeros(2, "f")}]).seconds)
    assert time.perf_counter() - began < 30


def test_every_node_is_judged_alone() -> None:
    made = two_layers()
    made.graph.initializer[0].CopyFrom(_with_one_large(made.graph.initializer[0]))
    found = errors_by_node(made, dynamic.quantized, [{"x": drawn(8, 48)}])
    assert set(found) == {"a", "y"}
    assert list(found) == sorted(found, key=lambda name: -found[name])
    assert 0 < found["y"] < 0.02


def _with_one_large(tensor: object) -> object:
    from onnx import numpy_helper

    weight = numpy_helper.to_array(tensor).copy()
    weight[0, :] *= 100
    return numpy_helper.from_array(weight, "w")


@pytest.mark.parametrize("needed", range(6))
def test_the_fewest_are_left_alone(needed: int) -> None:
    errors = {f"n{at}": 1 / (at + 1) for at in range(5)}
    asked: list[int] = []

    def holds(worst: list[str]) -> bool:
        asked.append(len(worst))
        return len(worst) >= needed

    assert fewest_left_alone(errors, holds) == [f"n{at}" for at in range(min(needed, 5))]
    assert len(asked) <= 3
