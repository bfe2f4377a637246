"""Rows at places that data gives are picked whole: nothing is copied before, and no place is told twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.frontend import load
from sardonyx.ir.run import run
from sardonyx.ops.onnx.index import rows_at
from tests.unit.frontend.models import parsed
from tests.unit.kernels.compiled import graph_of

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("lead", [(), (1,), (3,), (3, 2), (1, 2)])
@pytest.mark.parametrize("tail", [(), (4,), (4, 5)])
def test_rows_are_those_of_numpy(lead: tuple[int, ...], tail: tuple[int, ...]) -> None:
    shape = (*(3, 2)[: len(lead)], 7, *tail)
    data: Any = RANDOM.standard_normal(shape).astype(np.float32)
    index = RANDOM.integers(-7, 7, (*lead, 9))
    axis = len(lead)
    wide = index.reshape((*lead, 9, *(1,) * len(tail)))
    expected = np.take_along_axis(data, np.broadcast_to(wide, (*shape[:axis], 9, *tail)), axis)
    graph = graph_of(lambda x, i: [rows_at(x, i, axis)], [data, index])
    (got,) = run(graph, [data, index])
    np.testing.assert_array_equal(got, expected)


CALLS = {
    "GroupQueryAttention": (
        "float[2,1,64] q, float[2,1,32] k, float[2,1,32] v, float[2,2,30,16] p, float[2,2,30,16] r, "
        "int32[2] n",
        "y, u, w = com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2>(q, k, v, p, r, n, t)",
    ),
    "TensorScatter": ("float[2,3,40,16] x, float[2,3,1,16] u, int64[2] n", "y = TensorScatter(x, u, n)"),
    "ReverseSequence": (
        "float[40,3,16] x, int64[3] n",
        "y = ReverseSequence<time_axis = 0, batch_axis = 1>(x, n)",
    ),
}


@pytest.mark.parametrize(("inputs", "call"), CALLS.values(), ids=CALLS)
def test_a_row_has_one_place_and_comes_from_where_it_is(inputs: str, call: str) -> None:
    outputs = ", ".join(f"float[?] {name}" for name in call.split(" =")[0].split(", "))
    body = f"g ({inputs}) => ({outputs}) {{ t = Constant<value = int32[1] {{31}}>() {call} }}"
    graph = load(parsed(body, 24, ', "com.microsoft" : 1')).graph
    picked = [value for value in graph.order() if value.prim == "gather_nd"]
    assert picked
    assert not graph.primitives & {"pad", "gather_elements"}
    assert all(value.args[1].shape[-1] == 1 and value.shape[-1] == 16 for value in picked)
