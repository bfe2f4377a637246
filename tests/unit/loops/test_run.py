"""Loop nests mean what their graph means: as lowered and as scheduled, run with numpy; and they read well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import CompileError, RunError
from sardonyx.frontend import load
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Storage
from sardonyx.ir.run import materialise
from sardonyx.ir.run import run as run_graph
from sardonyx.loops.lower import lower, lower_padding
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Literal, Load, Reduced, Store, along
from sardonyx.loops.run import run
from sardonyx.loops.schedule import schedule
from sardonyx.loops.text import text
from sardonyx.loops.verify import verify
from sardonyx.targets.x86_64.isa import V4
from tests.conftest import Golden
from tests.tolerance import assert_close

Array = np.ndarray[Any, Any]
HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'


def f32(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


CASES: dict[str, tuple[str, list[Array]]] = {
    "softmax": ("g (float[N,M] x) => (float[N,M] y) { y = Softmax(x) }", [f32(3, 5)]),
    "norm": (
        "g (float[N,6] x, float[6] s) => (float[N,6] y) { y = LayerNormalization(x, s) }",
        [f32(4, 6), f32(6)],
    ),
    "transpose": (
        "g (float[A,B,4] x, float[4,B,1] z) => (float[4,B,A] y) "
        "{ t = Transpose<perm=[2,1,0]>(x) y = Add(t, z) }",
        [f32(3, 2, 4), f32(4, 2, 1)],
    ),
    "gather": (
        "g (float[N,3] x, int64[K] i) => (float[K,3] y) { e = Exp(x) y = Gather(e, i) }",
        [f32(4, 3), np.array([3, -1, 0])],
    ),
    "scatter": (
        "g (float[N,2] x, int64[K,1] i, float[K,2] u) => (float[N,2] y) "
        '{ y = ScatterND<reduction = "add">(x, i, u) }',
        [f32(4, 2), np.array([[3], [1], [3]]), f32(3, 2)],
    ),
    "argmax": (
        "g (float[N,M] x) => (int64[N,1] y) { y = ArgMax<axis = 1, select_last_index = 1>(x) }",
        [np.array([[1, 3, 3], [2, 2, 1]], np.float32)],
    ),
    "half": (
        "g (float16[N] x) => (float16[N] y) { a = Mul(x, x) b = Add(a, x) y = Sqrt(b) }",
        [np.linspace(0, 9, 7).astype(np.float16)],
    ),
    "join": (
        "g (float[A,2] x, float[B,2] z) => (float[C,2] y) { r = Relu(x) y = Concat<axis=0>(r, z) }",
        [f32(3, 2), f32(2, 2)],
    ),
    "pad": (
        "g (float[N,3] x) => (float[P,Q] y) <int64[4] p = {1,0,2,1}> { e = Exp(x) y = Pad(e, p) }",
        [f32(2, 3)],
    ),
    "mean": (
        "g (float[N,A,B] x) => (float[N,B] y) <int64[1] a = {1}> { y = ReduceMean<keepdims=0>(x, a) }",
        [f32(2, 3, 4)],
    ),
    "bits": (
        "g (int32[N] x) => (int32[N] y) <int32 k = {5}> { m = Mod(x, k) a = Abs(m) y = Mul(a, x) }",
        [np.array([7, -8, 9, 0], np.int32)],
    ),
}


def scheduled(kernel: Kernel) -> Kernel:
    return schedule(kernel, V4)


def graph_of(source: str) -> Graph:
    return load(onnx.parser.parse_model(HEAD + source)).graph


def evaluated(graph: Graph, feeds: Sequence[Array], change: Callable[[Kernel], Kernel]) -> list[Array]:
    """The outputs of a graph of loop groups, every kernel changed, checked and run with numpy."""
    sizes = {n: int(feeds[number].shape[axis]) for n, (number, axis) in graph.symbols().items()}
    fusion, memory = partition(graph), dict[int, Array]()

    def content(storage: Storage) -> Array:
        if id(storage) not in memory:
            if storage.kind == "input":
                memory[id(storage)] = feeds[storage.index].reshape(-1)
            elif storage.value is not None:
                memory[id(storage)] = np.asarray(materialise(storage.value, sizes)).reshape(-1)
            else:
                memory[id(storage)] = np.full(dims.evaluate(storage.size, sizes), 77, storage.dtype.numpy)
        return memory[id(storage)]

    for group in fusion.groups:
        if group.kind == "concat":
            continue
        kernels = (
            [lower_padding(group, fusion.places)] if group.kind == "padding" else lower(group, fusion.places)
        )
        for kernel in map(change, kernels):
            verify(kernel)
            assert text(kernel)
            assert set(group.root.origins) <= set(kernel.origins), "a kernel is named by its nodes"
            run(kernel, {b: content(b.key) for b in kernel.buffers()}, sizes)
    outputs = zip(fusion.outputs, graph.outputs, strict=True)
    return [
        content(p.storage).reshape([dims.evaluate(n, sizes) for n in v.shape]) for p, (_, v) in outputs if p
    ]


@pytest.mark.parametrize("change", [lambda kernel: kernel, scheduled], ids=["lowered", "scheduled"])
@pytest.mark.parametrize("name", CASES)
def test_kernels_mean_what_their_graph_means(name: str, change: Callable[[Kernel], Kernel]) -> None:
    source, feeds = CASES[name]
    graph = graph_of(source)
    for a, e in zip(evaluated(graph, feeds, change), run_graph(graph, feeds), strict=True):
        assert a.dtype == e.dtype
        assert_close(a, e, 16)


@pytest.mark.parametrize("name", ["softmax", "norm", "gather", "scatter", "pad"])
def test_text(name: str, golden: Golden) -> None:
    fusion = partition(graph_of(CASES[name][0]))
    kernels = [
        kernel
        for group in fusion.groups
        for kernel in (
            [lower_padding(group, fusion.places)] if group.kind == "padding" else lower(group, fusion.places)
        )
    ]
    assert "\n".join(text(scheduled(kernel)) + "\n" for kernel in kernels) == golden


def test_an_index_out_of_range_stops_a_run() -> None:
    source, (x, _) = CASES["gather"]
    with pytest.raises(RunError, match="out of range for an axis of size 4"):
        evaluated(graph_of(source), [x, np.array([4])], scheduled)


N, M = Axis("n", 3), Axis("m", 4)
X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")
VALUE = Load(X, along(N), dt.F32)


@pytest.mark.parametrize(
    ("outer", "body", "message"),
    [
        ((N,), (Store(Y, along(N), (), Load(X, along(M), dt.F32)),), "m, which is not a loop"),
        ((N,), (Store(Y, along(M), (), VALUE),), "the address changes with m"),
        ((N,), (Store(Y, along(N), (N,), VALUE),), "loops again over n"),
        ((N, N), (Store(Y, along(N), (), VALUE),), "an axis comes twice"),
        ((N,), (Store(Y, along(N), (), Apply("sum", (VALUE,), dt.F32)),), "sum is not a map"),
        ((N,), (Store(Y, along(N), (), Reduced("s", dt.F32, frozenset())),), "s is used before"),
        ((N,), (Store(X, along(N), (), VALUE),), "stores into a buffer that is in"),
        ((N,), (Store(Y, along(N), (), Literal(1, dt.I64)),), "stores i64 in a buffer of f32"),
        ((N,), (Store(Y, Affine(), (), VALUE, reduction="xor"),), "xor is not a way to update"),
        ((N,), (), "nothing is stored"),
    ],
)  # fmt: skip
def test_a_broken_kernel_is_named(outer: tuple[Axis, ...], body: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        verify(Kernel("k", outer, body, ()))
