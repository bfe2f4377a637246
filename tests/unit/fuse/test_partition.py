"""Which values share a kernel: the groups of small graphs as text."""

from __future__ import annotations

import numpy as np

from sardonyx import passes
from sardonyx.fuse.partition import partition
from sardonyx.fuse.text import text
from sardonyx.ir.graph import Graph
from sardonyx.kernels.families import NATIVE
from tests.conftest import Golden
from tests.unit.passes.graphs import GOAL, parse


def simplify(graph: Graph) -> Graph:
    for run_pass in passes.PIPELINE:
        graph = run_pass(graph, GOAL)
    return graph


def groups(graph: Graph) -> list[str]:
    return [g.kind for g in partition(simplify(graph), NATIVE).groups]


def zeros(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_bias_and_relu_join_the_matmul(golden: Golden) -> None:
    graph = parse(
        "g (float[N,128] x) => (float[N,10] y) { h = MatMul(x, w)  s = Add(h, b)  y = Relu(s) }",
        w=zeros(128, 10),
        b=zeros(10),
    )
    assert text(partition(simplify(graph), NATIVE)) == golden


def test_softmax_is_one_kernel(golden: Golden) -> None:
    graph = parse("g (float[N,M] x) => (float[N,M] y) { s = Mul(x, x) y = Softmax(s) }")
    assert text(partition(simplify(graph), NATIVE)) == golden


def test_layer_norm_of_a_residual_sum_is_one_kernel() -> None:
    body = (
        "g (float[N,64] x, float[N,64] r) => (float[N,64] y) "
        "{ s = Add(x, r) y = LayerNormalization(s, w, b) }"
    )
    assert groups(parse(body, w=zeros(64), b=zeros(64))) == ["loops"]


def test_gelu_is_an_epilogue() -> None:
    body = "g (float[N,64] x) => (float[N,32] y) { h = MatMul(x, w) y = Gelu(h) }"
    assert groups(parse(body, w=zeros(64, 32))) == ["contract"]


def test_a_value_read_by_two_kernels_is_stored() -> None:
    body = (
        "g (float[N,M] x) => (float[N,1] a, float[1,M] b) "
        "{ e = Exp(x) a = ReduceSum(e, r) b = ReduceSum(e, c) }"
    )
    graph = parse(body, r=np.array([1]), c=np.array([0]))
    assert groups(graph) == ["loops", "loops", "loops"]


def test_what_costs_one_instruction_is_computed_by_every_reader() -> None:
    """The cost in the primitive's row decides: that of Floor, but not of Exp."""
    body = (
        "g (float[N,M] x) => (float[N,1] a, float[1,M] b) "
        "{ f = Floor(x) a = ReduceSum(f, r) b = ReduceSum(f, c) }"
    )
    graph = parse(body, r=np.array([1]), c=np.array([0]))
    assert groups(graph) == ["loops", "loops"]


def test_parts_of_a_concat_are_written_in_place() -> None:
    body = (
        "g (float[N,8] x) => (float[N,24] y) { a = Exp(x) b = MatMul(x, w) y = Concat <axis = 1> (a, b, x) }"
    )
    assert sorted(groups(parse(body, w=zeros(8, 8)))) == ["concat", "contract", "loops", "loops"]


def test_head_split_needs_no_copy() -> None:
    body = (
        "g (float[N,S,64] x) => (float[N,4,S,S] y) { q = MatMul(x, w) r = Reshape(q, shape)"
        " t = Transpose <perm = [0,2,1,3]> (r) k = Transpose <perm = [0,2,3,1]> (r) y = MatMul(t, k) }"
    )
    graph = parse(body, w=zeros(64, 64), shape=np.array([0, 0, 4, 16]))
    assert groups(graph) == ["contract", "contract"]


def test_an_index_that_can_be_out_of_range_is_no_epilogue() -> None:
    body = (
        "g (float[N,8] x, int64[N] i) => (float[N,8] y) { m = MatMul(x, w) g = Gather(t, i) y = Add(m, g) }"
    )
    assert groups(parse(body, w=zeros(8, 8), t=zeros(5, 8))).count("contract") == 1


def test_steps_of_the_host_that_read_inputs_go_first() -> None:
    graph = parse(
        "g (float[N,4] x, string[N] s) => (float[N,4] y, string[?] z)"
        ' { y = Softmax(x)  t = StringNormalizer<case_change_action = "LOWER">(s)  z = StringConcat(t, t) }'
    )
    assert groups(graph) == ["host", "host", "loops"]


def test_steps_of_the_host_wait_for_kernels_that_they_read() -> None:
    graph = parse("g (float[N,4] x) => (string[N,4] y) { a = Softmax(x)  y = Cast<to = 8>(a) }")
    assert groups(graph) == ["loops", "host"]


def test_steps_of_the_host_that_no_kernel_reads_go_last() -> None:
    graph = parse(
        "g (float[N,4] x) => (string[N,4] s, float[N,4] y)"
        " { a = Softmax(x)  s = Cast<to = 8>(a)  b = Softmax<axis = 0>(a)  y = Relu(b) }"
    )
    assert groups(graph)[-1] == "host"
