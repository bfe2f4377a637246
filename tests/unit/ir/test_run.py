"""Graphs run in numpy: sizes are bound once known, wide types serve narrow ones, faults name a node."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import RunError
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.graph import Graph
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.origin import origin
from sardonyx.ir.run import bind, evaluate, materialise, prepared, run
from sardonyx.ir.value import dims_vector, placeholder

N = dims.symbol("N")


def test_sizes_come_from_inputs_from_content_and_from_outside() -> None:
    x, i = placeholder("x", dt.F32, (N,)), placeholder("i", dt.I64, (1,))
    with collect_data_sizes() as unknowns:
        (count,) = content(i + 1)
        part = x.slice((0,), (count,))
    graph = Graph((x, i), (("y", part), ("n", dims_vector((N * 2, count)))), unknowns)
    y, n = run(graph, [np.arange(5, dtype=np.float32), np.array([2])])
    assert y.tolist() == [0, 1, 2]
    assert n.tolist() == [10, 3]
    outside = Graph((), (("n", dims_vector((dims.symbol("M"),))),))
    assert run(outside, [], {"M": 7})[0].tolist() == [7]


def test_sizes_that_contradict_stop_the_run() -> None:
    x, y = placeholder("x", dt.F32, (N,)), placeholder("y", dt.F32, (dims.symbol("M"),))
    obligation = Obligation(N - dims.symbol("M"), True, "Add_1: sizes differ")
    graph = Graph((x, y), (("z", x), ("y", y)), {}, (obligation,))
    with pytest.raises(RunError, match="Add_1: sizes differ"):
        run(graph, [np.zeros(2, np.float32), np.zeros(3, np.float32)])


def test_half_types_are_computed_in_single_precision_and_rounded() -> None:
    x = placeholder("x", dt.F16, (1,))
    (y,) = run(Graph((x,), (("y", x * 3 / 3),)), [np.float16([0.1])])
    assert y.dtype == np.float16
    product = np.float16(np.float32(np.float16(0.1)) * 3)
    assert y[0] == np.float16(np.float32(product) / 3)


def test_a_fault_names_the_operation_and_its_node() -> None:
    i = placeholder("i", dt.I64, (1,))
    with origin("Gather_5"):
        picked = placeholder("x", dt.F32, (2,)).gather(i, 0)
    with pytest.raises(RunError, match=r"^Gather_5: gather index 9"):
        run(Graph((picked.args[0], i), (("y", picked),)), [np.zeros(2, np.float32), np.array([9])])


def test_operations_with_open_attributes_are_prepared_once() -> None:
    x = placeholder("x", dt.F32, (N,))
    last = x.slice((N - 1,), (1,))
    operation = prepared(last)
    for size in (2, 5):
        assert operation([np.arange(size, dtype=np.float32)], {"N": size}).tolist() == [size - 1]
    assert evaluate(dims_vector((N,)), [], {"N": 3}).tolist() == [3]


def test_attributes_and_constants_are_bound() -> None:
    assert bind({"a": (N, [N + 1]), "b": "x"}, {"N": 2}) == {"a": (2, (3,)), "b": "x"}
    content_ = materialise(dims_vector((N, 4), dt.I32), {"N": 2})
    assert (content_.dtype, content_.tolist()) == (np.int32, [2, 4])


def test_an_array_is_given_back_only_if_it_is_an_output() -> None:
    x = placeholder("x", dt.F32, (2,))
    got = run(Graph((x,), (("x", x), ("again", x))), [np.ones(2, np.float32)])
    assert [a.tolist() for a in got] == [[1, 1], [1, 1]]
