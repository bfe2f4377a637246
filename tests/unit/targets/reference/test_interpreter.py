"""Kernels run in numpy as their loops mean it, on memory as planned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import const, placeholder
from sardonyx.targets.reference.interpreter import NATIVE, lowered
from tests.unit.runtime.programs import f32, linear, model, program

N = dims.symbol("N")


def test_groups_are_loops_or_run_as_a_whole() -> None:
    x = placeholder("x", dt.F32, (N, 4))
    graph = Graph(
        (x,), (("y", x.exp().dot(const(np.ones((4, 2), np.float32)))), ("z", x.pad((1, 0), (0, 0))))
    )
    fusion = partition(graph, NATIVE)
    counts = {group.kind: len(lowered(group, fusion)) for group in fusion.groups}
    assert counts["contract"] == 0
    assert counts["loops"] == counts["padding"] == 1


def test_results_are_those_of_native_code_and_nobody_elses_memory() -> None:
    data = linear()
    reference, native = program(data, target="reference"), program(data)
    feed: Any = f32(3, 8)
    for got, expected in zip(reference.run([feed], [0]), native.run([feed], [0]), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    plain = program(model("g (float[N] x) => (float[N] y) { y = Identity(x) }"), target="reference")
    x = f32(3)
    (y,) = plain.run([x], [0])
    y[0] = 99
    assert x[0] != 99


def test_groups_are_timed_and_named() -> None:
    made = program(linear(), target="reference")
    results, times = made.profile([f32(3, 8)])
    assert len(results) == 1
    assert all(t.busy_ns > 0 for t in times)
    assert [t.origins for t in times] == [("Relu_2",)], "the product and its end are one group"


def test_sizes_that_contradict_are_refused() -> None:
    made = program(model("g (float[N] x, float[M] z) => (float[N] y) { y = Add(x, z) }"), target="reference")
    with pytest.raises(ShapeError, match="check the input shapes|do not broadcast"):
        made.run([f32(3), f32(2)], [0])
