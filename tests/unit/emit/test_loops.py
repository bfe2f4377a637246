"""Vectors, side by side or one by one, whole or cut off, and unrolled loops reach every point once."""

from __future__ import annotations

from math import erf

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.emit.extents import Extents
from sardonyx.emit.loops import UNROLL_POINTS, LoopEmitter
from sardonyx.llvm.vec import Function, Module
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Load, Reduce, Reduced, Store, along
from sardonyx.targets.x86_64 import isa
from tests.unit.emit.alone import check

X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")
LENGTHS = [1, 15, 16, 17, 31, 32, 64, 65, 130]


def size(n: int, open_: bool) -> Dim:
    return dims.symbol("n") if open_ else n


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("open_", [False, True])
def test_every_point_is_stored_once(n: int, open_: bool) -> None:
    axis = Axis("i", size(n, open_))
    twice = Apply("add", (Load(X, along(axis), dt.F32),) * 2, dt.F32)
    kernel = Kernel("k", (axis,), (Store(Y, along(axis), (), twice),), (), vector=axis)
    check(kernel, {X: np.arange(n, dtype=np.float32), Y: np.zeros(n, np.float32)}, {"n": n})


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("open_", [False, True])
@pytest.mark.parametrize("along_lanes", [False, True])
def test_sums_of_every_length(n: int, open_: bool, along_lanes: bool) -> None:
    row, axis = Axis("row", 3), Axis("i", size(n, open_))
    total = Reduced("r", dt.F32, frozenset([row]))
    at = Affine(0, ((row, size(n, open_)), (axis, 1)))
    body = (Reduce(total, "sum", (axis,), Load(X, at, dt.F32)), Store(Y, along(row), (), total))
    x = np.random.default_rng(n).integers(-9, 9, 3 * n).astype(np.float32)
    kernel = Kernel("k", (row,), body, (), vector=axis if along_lanes else row)
    check(kernel, {X: x, Y: np.zeros(3, np.float32)}, {"n": n})


@pytest.mark.parametrize("window", [2, 5, 6])
def test_small_axes_are_written_out_and_larger_ones_are_loops(window: int) -> None:
    outer, a, b = Axis("o", 20), Axis("a", window), Axis("b", window)
    total = Reduced("r", dt.F32, frozenset([outer]))
    at = Affine(0, ((outer, 1), (a, 3), (b, 2)))
    body = (Reduce(total, "rmax", (a, b), Load(X, at, dt.F32)), Store(Y, along(outer), (), total))
    x = np.random.default_rng(1).standard_normal(19 + 5 * (window - 1) + 1).astype(np.float32)
    check(Kernel("k", (outer,), body, (), vector=outer), {X: x, Y: np.zeros(20, np.float32)})


def emitter(vector: Axis, *others: Axis) -> LoopEmitter:
    f = Function(Module(), "f", [("args", "ptr"), ("ctx", "ptr")])
    loops = LoopEmitter(f, replace(isa.V4, abreast=1), vector, 16)
    loops.extents = Extents((vector, *others))
    return loops


def test_what_is_unrolled() -> None:
    vector, small, large = Axis("v", 99), Axis("s", UNROLL_POINTS), Axis("l", UNROLL_POINTS + 1)
    two, n = Axis("two", 2), Axis("n", dims.symbol("n"))
    loops = emitter(vector, small, large, two, n)
    assert loops.unrolls([small])
    assert not loops.unrolls([large])
    assert loops.unrolls([large], UNROLL_POINTS + 1)
    assert not loops.unrolls([small, two])
    assert not loops.unrolls([vector])
    assert not loops.unrolls([n])


def test_cheap_statements_run_more_vectors_side_by_side() -> None:
    vector = Axis("v", 99)
    loops, x = emitter(vector), Load(X, along(vector), dt.F32)
    chain: Expr = x
    counts = []
    for _ in range(5):
        counts.append(loops.several_vectors([Store(Y, along(vector), (), chain)]).number)
        chain = Apply("exp", (chain,), dt.F32)
    assert counts[0] > counts[-1] == 1
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("size", [1, 7, 8, 31, 32, 33, 47, 64, 100, 1000])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("rows", [1, 5])
def test_long_statements_give_every_element_the_same_bits(size: int, declared: bool, rows: int) -> None:
    shape = f"{rows},{size}" if declared else "M,N"
    text = (
        f"g (float[{shape}] x, float[{rows},1] k) => (float[{shape}] y, uint8[{shape}] b) "
        "{ a = Mul(x, k) e = Gelu(a) t = Tanh(e) y = Mul(t, x) c = Erf(y) d = Abs(c) b = Cast<to = 2>(d) }"
    )
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {text}')
    x, k = np.full((rows, size), 1.25, np.float32), np.arange(1, rows + 1, dtype=np.float32)[:, None]
    y, _ = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"x": x, "k": k})
    a = 1.25 * k.astype(np.float64)
    gelu = a / 2 * (1 + np.vectorize(erf)(a / 2**0.5))
    assert (y == y[:, :1]).all()
    np.testing.assert_allclose(y[:, :1], np.tanh(gelu) * 1.25, rtol=1e-6)


@pytest.mark.parametrize("rows", [512, 1000, 4097])
@pytest.mark.parametrize("declared", [True, False])
def test_sums_down_long_columns_lose_less_than_term_by_term(rows: int, declared: bool) -> None:
    size = rows if declared else "N"
    text = f"g (float[{size},80] x) => (float[80] y) {{ y = ReduceSum<keepdims = 0>(x, a) }}"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {text}')
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "a"))
    x = np.random.default_rng(rows).random((rows, 80)).astype(np.float32)
    (y,) = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    exact, plain = x.astype(np.float64).sum(0), np.add.accumulate(x)[-1]
    assert np.abs(y - exact).max() < np.abs(plain - exact).max() / 2
