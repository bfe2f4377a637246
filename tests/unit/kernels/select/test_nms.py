"""Native non-maximum suppression against its meaning in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.ir.algorithms import sort
from sardonyx.ir.value import Value
from sardonyx.kernels.select.nms import nms_calls
from sardonyx.ops.onnx.sort import non_max_suppression
from tests.runnable import runnable_targets
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, natives
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def check(
    boxes: Array,
    scores: Array,
    target: Target,
    *numbers: float,
    centred: int = 0,
    threads: Sequence[int] = (1,),
) -> None:
    """The rows are those of the reference; limit, overlap and least are given as far as `numbers` go."""
    given = [np.array([n], np.float32 if number else np.int64) for number, n in enumerate(numbers)]
    arrays: list[Array] = [boxes, scores, *given]

    def build(*values: Value) -> list[Value]:
        return [non_max_suppression(*values, center_point_box=centred)]

    names = ("limit", "overlap", "least")[: len(given)]
    how: dict[str, Any] = {"extras": names, "centred": bool(centred), "capacity": boxes.shape[1]}
    rows, count = sort.nms(*arrays, **how)
    for constant in ((), (2, 3, 4)):
        graph = graph_of(build, arrays, constant)
        feeds = [guarded(a) for n, a in enumerate(arrays) if n not in constant]
        for (got,) in natives(graph, target, feeds, threads):
            assert np.array_equal(got, rows[: count[0]])


def drawn(batches: int, classes: int, size: int, centred: int) -> tuple[Array, Array]:
    """Boxes that overlap a lot, and scores of which many are equal."""
    rng = np.random.default_rng(size)
    first, extent = rng.random((batches, size, 2)) * 4, rng.random((batches, size, 2)) * 3
    boxes = np.concatenate([first + extent / 2, extent] if centred else [first + extent, first], 2)
    scores = rng.integers(0, 10, (batches, classes, size)) / 10
    return boxes.astype(np.float32), scores.astype(np.float32)


@TARGETS
@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize(("batches", "classes", "size"), [(1, 1, 1), (1, 3, 40), (2, 2, 17), (1, 1, 300)])
def test_shapes(target: Target, centred: int, batches: int, classes: int, size: int) -> None:
    boxes, scores = drawn(batches, classes, size, centred)
    for numbers in ((), (0,), (5,), (3, 0.5), (1000, 0.3, 0.45), (1000, 0.0, 0.9), (2, 0.99, 2.0)):
        check(boxes, scores, target, *numbers, centred=centred, threads=(1, 2))


@TARGETS
def test_bad_numbers(target: Target) -> None:
    boxes, scores = drawn(1, 2, 30, 0)
    scores[0, 0, ::3], scores[0, 1, 5] = np.nan, np.inf
    check(boxes, scores, target, 30, 0.4)
    check(boxes, scores, target, 30, 0.4, 0.2)
    boxes[0, 4], boxes[0, 7, 1] = 0, np.inf
    check(boxes, scores, target, 30, 0.4)


def test_every_class_of_every_image_is_work() -> None:
    def build(*values: Value) -> list[Value]:
        return [non_max_suppression(*values)]

    works = [
        sum(
            call.work
            for call in calls_of(
                nms_calls,
                build,
                [np.zeros((2, 7, 4), np.float32), np.zeros((2, classes, 7), np.float32), np.array([3])],
            )
        )
        for classes in (1, 3)
    ]
    assert works[1] == 3 * works[0]
