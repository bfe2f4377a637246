"""What surrounds a tensor, against numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.ir.value import Value
from sardonyx.ops.padding import pad_attributes, padded
from tests.unit.kernels.compiled import graph_of, native, program_of


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
@pytest.mark.parametrize(
    ("shape", "pads"),
    [
        ((7,), (2, 3)),
        ((7,), (20, 9)),
        ((3, 5), (0, 2, 1, 0)),
        ((2, 3, 4), (1, 2, 3, 2, 0, 9)),
        ((1, 3, 20, 17), (0, 0, 4, 4, 0, 0, 4, 4)),
    ],
)
def test_amounts(mode: str, shape: tuple[int, ...], pads: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    graph = graph_of(lambda v: [pad_attributes(v, pads=pads, mode=mode)], [x])
    (got,) = native(graph, targets.detect(), [x], 2)
    assert np.array_equal(got, np.pad(x, amounts(pads), mode))  # type: ignore[call-overload]


def test_edges_of_any_size() -> None:
    n = dims.symbol("n", 1)

    def build(v: Value) -> list[Value]:
        return [pad_attributes(v, pads=(1, 3, 2, 5), mode="edge")]

    program = program_of(graph_of(build, [np.zeros((2, 4))], (), [(2, n)]), targets.detect())
    for size in (1, 4, 33):
        x = np.arange(2.0 * size).reshape(2, size)
        (got,) = program.run([x], [0])
        assert np.array_equal(got, np.pad(x, ((1, 2), (3, 5)), "edge"))


def test_edges_are_not_gathered() -> None:
    graph = graph_of(lambda v: [pad_attributes(v, pads=(1, 3, 2, 5), mode="edge")], [np.zeros((2, 4))])
    assert "gather" not in {value.prim for value in graph.order()}


@pytest.mark.parametrize(
    "mode", ["reflect", *(pytest.param(m, marks=pytest.mark.slow) for m in ("edge", "wrap"))]
)
def test_amounts_that_may_be_more_than_there_is_leave_the_middle_whole(mode: str) -> None:
    n, low, high = dims.symbol("n", 1), dims.symbol("low"), dims.symbol("high")

    def build(v: Value, *_: Value) -> list[Value]:
        return [padded(v, (0, low, 0, high), mode, None)]

    feeds, shapes = [np.zeros((2, 4)), np.zeros(1), np.zeros(1)], [(2, n), (low,), (high,)]
    graph = graph_of(build, feeds, (), shapes)
    (whole,) = (value for value in graph.order() if value.prim == "concat")
    assert sum(part.kind == "source" for part in whole.args) == 1
    program = program_of(graph, targets.detect())
    for size, before, behind in ((1, 3, 2), (4, 9, 1), (33, 1, 40), (5, 5, 5)):
        x = np.arange(2.0 * size).reshape(2, size)
        (got,) = program.run([x, np.zeros(before), np.zeros(behind)], [0])
        assert np.array_equal(got, np.pad(x, ((0, 0), (before, behind)), mode))  # type: ignore[call-overload]


def amounts(pads: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of how much is before and after, an axis each."""
    return list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
