"""Groups run one by one on the memory that was planned give what the graph gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import CompileError
from sardonyx.fuse.partition import partition
from sardonyx.fuse.run import Memory, run
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run as run_graph
from sardonyx.ir.value import Value, concat, const, many, placeholder

N = dims.symbol("N")
FEED = np.random.default_rng(1).integers(-4, 5, (3, 4)).astype(np.float64)


def topk(x: Value) -> Value:
    attrs = {"k": 2, "axis": 1, "largest": True}
    return many("topk", (x,), attrs, [(x.dtype, (x.shape[0], 2)), (dt.I64, (x.shape[0], 2))])[0]


@pytest.mark.parametrize(
    "build",
    [
        lambda x: (x - x.reduce_max(1)).exp() / (x - x.reduce_max(1)).exp().sum(1),
        lambda x: x.dot(const(np.ones((4, 2)))).max(0),
        lambda x: concat([x.exp(), x, x.transpose(1, 0).transpose(1, 0) * 2], 0),
        lambda x: x.exp().pad((1, 0), (2, 3)).exp(),
        lambda x: topk(x * 2) + 1,
        lambda x: x.reshape((x.shape[0] * 4,)),
        lambda x: x,
    ],
)
def test_fusions(build: Callable[[Value], Value]) -> None:
    x = placeholder("x", dt.F64, (N, 4))
    graph = Graph((x,), (("y", build(x)), ("again", build(x))))
    for native in (frozenset[str](), frozenset({"topk"})):
        for got, expected in zip(
            run(partition(graph, native), [FEED]), run_graph(graph, [FEED]), strict=True
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_sizes_are_read_as_soon_as_they_are_known() -> None:
    x, i = placeholder("x", dt.F64, (N,)), placeholder("i", dt.I64, (1,))
    with collect_data_sizes() as sources:
        (count,) = content(i * 2)
        graph = Graph((x, i), (("y", x.slice((0,), (count,)) + 1),), sources)
    feeds: Any = [np.array([0.0, 3, 0, 4]), np.array([1])]
    (got,) = run(partition(graph), feeds)
    assert got.tolist() == [1, 4]


def test_memory_that_was_not_written_is_no_number_by_chance() -> None:
    x = placeholder("x", dt.F64, (N, 4))
    y = x.exp()
    fusion = partition(Graph((x,), (("y", y),)))
    memory = Memory(fusion, [FEED])
    assert np.all(memory.at(fusion.places[y.id], y.shape) == 77)
    with pytest.raises(CompileError, match="stored nowhere"):
        memory.value(x.log())
