"""Which values share a kernel: the groups of small graphs as text."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

import sardonyx
from sardonyx import passes
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.fuse.partition import partition
from sardonyx.fuse.text import text
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Group
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value
from sardonyx.kernels.families import NATIVE
from sardonyx.targets.x86_64 import isa
from tests.conftest import Golden
from tests.tolerance import assert_close
from tests.unit.passes.graphs import GOAL, parse


def simplify(graph: Graph, goal: Goal = GOAL) -> Graph:
    for run_pass in passes.PIPELINE:
        graph = run_pass(graph, goal)
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


@pytest.mark.parametrize(
    ("shape", "columns", "is_copied"),
    [
        ("B,50", 256, True),
        ("B,S", 512, True),
        ("8,S", 256, True),
        ("B,200", 256, False),
        ("4,50", 256, False),
        ("1,S", 256, False),
        ("B,S", 64, False),
    ],
)
def test_rows_that_lie_apart_are_joined_before_a_wide_product(
    shape: str, columns: int, is_copied: bool
) -> None:
    graph = parse(
        f"g (float[{shape},16] x) => (float[P,Q,{columns}] y)"
        " { t = Transpose <perm = [1,0,2]> (x) y = MatMul(t, w) }",
        w=zeros(16, columns),
    )
    assert groups(graph) == ["loops", "contract"][not is_copied :]


def test_softmax_is_one_kernel(golden: Golden) -> None:
    graph = parse("g (float[N,M] x) => (float[N,M] y) { s = Mul(x, x) y = Softmax(s) }")
    assert text(partition(simplify(graph), NATIVE)) == golden


def test_layer_norm_of_a_residual_sum_is_one_kernel() -> None:
    body = (
        "g (float[N,64] x, float[N,64] r) => (float[N,64] y) "
        "{ s = Add(x, r) y = LayerNormalization(s, w, b) }"
    )
    assert groups(parse(body, w=zeros(64), b=zeros(64))) == ["loops"]


@pytest.mark.parametrize("node", ["LayerNormalization(x, w, w)", "SimplifiedLayerNormalization(x, w)"])
def test_the_scale_of_a_norm_says_how_long_the_rows_are(node: str) -> None:
    graph = parse(f"g (float[N,M] x) => (float[N,M] y) {{ y = {node} }}", w=zeros(64))
    assert groups(graph) == ["loops"]
    assert graph.outputs[0][1].shape[-1] == 64


@pytest.mark.parametrize(
    "node", ["InstanceNormalization(x, w, w)", "GroupNormalization<num_groups=4>(x, w, w)"]
)
def test_the_scale_of_a_norm_says_how_many_channels_there_are(node: str) -> None:
    graph = parse(f"g (float[N,C,H,W] x) => (float[N,C,H,W] y) {{ y = {node} }}", 21, w=zeros(64))
    assert groups(graph) == ["loops"]
    assert graph.outputs[0][1].shape[1] == 64


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("heads", ["B,4,S,16", "B,S,64"])
def test_a_rotary_embedding_is_one_kernel(heads: str, interleaved: int) -> None:
    node = f"RotaryEmbedding<num_heads=4, interleaved={interleaved}>(x, c, s)"
    inputs = f"float[{heads}] x, float[B,S,8] c, float[B,S,8] s"
    assert groups(parse(f"g ({inputs}) => (float[{heads}] y) {{ y = {node} }}", 23)) == ["loops"]


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


@pytest.mark.parametrize(("left", "kinds"), [("batch,1,M", 3), ("batch,N,M", 4)], ids=["small", "large"])
def test_what_is_reduced_and_read_again_is_made_of_small_operands_twice(left: str, kinds: int) -> None:
    body = (
        f"g (float[{left}] x, float[batch,N,1] z) => (float[batch,N,M] y) "
        "{ s = Add(x, z) m = ReduceMax<keepdims = 0>(s) d = Sub(s, m) y = Exp(d) }"
    )
    kernels = groups(parse(body))
    assert len(kernels) == kinds, "with both steps of the maximum"


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


ROWS = {
    "a view that is an output": "g (float[1,16,32,1] x) => (float[1,32,16,1] t, float[1,8,16,1] y) "
    "{ t = Transpose<perm = [0,2,1,3]>(x) y = Conv(t, k) }",
    "a view that another reader wants whole": "g (float[1,16,32,1] x) => "
    "(float[1,32,16,1] z, float[1,8,16,1] y) { t = Transpose<perm = [0,2,1,3]>(x) y = Conv(t, k)"
    " z = CumSum(t, two) }",
    "a view of a part of a concatenation": "g (float[8,1] x, float[8,3] z) => (float[8,4] c, float[1,5] y) "
    "{ e = Exp(x) c = Concat<axis = 1>(e, z) r = Transpose(e) y = MatMul(r, w) }",
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_lie_side_by_side_whatever_is_stored_under_a_view(name: str) -> None:
    graph = parse(ROWS[name], k=zeros(8, 32, 1, 1), w=zeros(8, 5), two=np.array(2))
    fusion = partition(simplify(graph), NATIVE)
    read = [
        fusion.places[value.args[number].id]
        for value in fusion.graph.order()
        for number in PRIMS[value.prim].rows
        if value.args[number].data is None
    ]
    assert read
    assert all(place.strides[-1] == 1 for place in read)


JOINED = {
    "axes that another reader put apart": "g (float[2,4,3,5] x) => (float[1] y, float[2,5,4,3] z) "
    "<int64[3] rows = {2,5,12}, int64[1] flat = {-1}> { e = Exp(x) t = Transpose<perm = [0,3,1,2]>(e)"
    " r = Reshape(t, rows) u = Transpose<perm = [0,2,1]>(r) j = Reshape(u, flat) y = MatMul(j, j)"
    " z = CumSum(t, two) }",
    "weights that a convolution made": "g (float[1,32,5,5] x) => (float[1,1,1,1] y) "
    "{ h = Conv <pads = [1,1,1,1]> (x, l) e = HardSwish(h) y = Conv(e, h) }",
}


@pytest.mark.parametrize("name", [*ROWS, *JOINED])
def test_what_is_read_from_views_is_right(name: str) -> None:
    text = {**ROWS, **JOINED}[name]
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {text}')
    around = np.random.default_rng(1).standard_normal((32, 32, 3, 3)).astype(np.float32)
    constants = {"k": zeros(8, 32, 1, 1), "w": zeros(8, 5), "two": np.array(2), "l": around}
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in constants.items())
    generator = np.random.default_rng(0)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
    feeds = {n: generator.standard_normal(shape).astype(np.float32) for n, shape in shapes.items()}
    found = sardonyx.InferenceSession(model.SerializeToString()).run(None, feeds)
    for one, other in zip(found, ReferenceEvaluator(model).run(None, feeds), strict=True):
        assert_close(one, np.asarray(other), 32)


DEPTHWISE = (
    "g (float[N,32,9,7] x) => (float[N,16,9,7] z) {{ "
    "c = Conv <group = 32, pads = [1,1,1,1]> (x, w, b) {} z = Conv(y, v) }}"
)


@pytest.mark.parametrize(
    ("end", "sums"),
    [
        ("y = HardSwish(c)", "mul"),
        ("s = Sigmoid(c) y = Mul(c, s)", "mul"),
        ("y = Clip(c, low, high)", "min"),
        ("r = Relu(x) y = Add(c, r)", "add"),
        ("d = Conv <group = 32, pads = [1,1,1,1]> (x, u, b) y = Add(c, d)", "sum add"),
        ("m = GlobalAveragePool(c) y = Mul(c, m)", "sum mul"),
    ],
)
def test_what_follows_a_depthwise_convolution_joins_it(end: str, sums: str, rng: np.random.Generator) -> None:
    w, u = (rng.standard_normal((32, 1, 3, 3)).astype(np.float32) for _ in range(2))
    low, high = np.array(0, np.float32), np.array(6, np.float32)
    graph = parse(DEPTHWISE.format(end), w=w, u=u, v=zeros(16, 32, 1, 1), b=zeros(32), low=low, high=high)
    fusion = partition(simplify(graph), NATIVE)
    with_sums = [inside(g) for g in fusion.groups if any(v.kind == "reduce" for v in inside(g))]
    assert [next(v.prim for v in group if v.kind != "view") for group in with_sums] == sums.split()


def inside(group: Group) -> list[Value]:
    """The values that the kernel of a group computes."""
    found, stack = [], [group.root]
    while stack:
        value = stack.pop()
        if value is group.root or value.id in group.inlined:
            found.append(value)
            stack += value.args
    return found


SCALES = {
    "sx": np.array(0.02, np.float32),
    "zx": np.array(3, np.uint8),
    "sw": np.array(0.01, np.float32),
    "zw": np.array(0, np.int8),
}
LINEAR = (
    "a = DequantizeLinear(x, sx, zx) v = DequantizeLinear(w, sw, zw) p = MatMul(a, v) "
    "q = QuantizeLinear(p, sx, zx) d = DequantizeLinear(q, sx, zx) "
)


@pytest.mark.parametrize(
    ("end", "stored"),
    [
        ("r = Reshape(d, sizes) t = Transpose <perm = [1, 0, 2]> (r) y = Exp(t)", True),
        ("y = LayerNormalization(d, s, b)", True),
        ("y = Relu(d)", False),
    ],
    ids=["view", "norm", "map"],
)
def test_points_that_cannot_follow_their_product_are_stored_as_points(end: str, stored: bool) -> None:
    ones = {"s": np.ones(32, np.float32), "b": np.zeros(32, np.float32), "sizes": np.array([-1, 4, 8])}
    shape = "[4,N,8]" if "Transpose" in end else "[N,32]"
    body = f"g (uint8[N,64] x) => (float{shape} y) {{ {LINEAR} {end} }}"
    w = np.arange(64 * 32, dtype=np.int64).reshape(64, 32).astype(np.int8)
    graph = simplify(parse(body, w=w, **SCALES, **ones), Goal(isa.with_features(isa.V3, ["avxvnni"])))
    found = [group for group in partition(graph, NATIVE).groups if group.kind == "contract"]
    assert (found[0].root.dtype is dt.U8) is stored


def test_of_two_products_that_are_added_one_is_stored_as_points() -> None:
    body = (
        "g (uint8[N,64] x) => (uint8[N,32] y) { a = DequantizeLinear(x, sx, zx) "
        "v = DequantizeLinear(w, sw, zw) u = DequantizeLinear(w2, sw, zw) p = MatMul(a, v) o = MatMul(a, u) "
        "q = QuantizeLinear(p, sx, zx) d = DequantizeLinear(q, sx, zx) "
        "r = QuantizeLinear(o, sx, zx) e = DequantizeLinear(r, sx, zx) s = Add(d, e) "
        "y = QuantizeLinear(s, sx, zx) }"
    )
    w = np.arange(64 * 32, dtype=np.int64).reshape(64, 32).astype(np.int8)
    graph = parse(body, w=w, w2=w[::-1].copy(), **SCALES)
    graph = simplify(graph, Goal(isa.with_features(isa.V3, ["avxvnni"])))
    roots = [group.root.dtype for group in partition(graph, NATIVE).groups if group.kind == "contract"]
    assert roots == [dt.U8, dt.U8]


@pytest.mark.parametrize("size", ["[N,20,H,W]", "[1,20,9,7]"])
def test_a_head_grows_where_rows_are_contiguous(size: str, rng: np.random.Generator) -> None:
    """Two blends: the first in blocks, which are turned as they lie in memory, the second behind them."""
    graph = parse(
        f"g (float{size} x) => (float[A,B,C,D] y)"
        ' { c = Conv (x, w) y = Resize <mode = "linear"> (c, , s) }',
        w=rng.standard_normal((32, 20, 1, 1)).astype(np.float32),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    kinds = [(g.kind, g.root.prim, g.root.rank) for g in partition(simplify(graph), NATIVE).groups]
    at = kinds.index(("contract", "conv_blocked", 5))
    assert [(prim, rank) for _, prim, rank in kinds[at + 1 :]] == [("add", 5), ("transpose", 5), ("add", 4)]
