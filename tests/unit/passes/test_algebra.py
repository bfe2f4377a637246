"""Constants move together and into weights; results stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.passes.algebra import algebra
from tests.unit.passes.graphs import GOAL, check, parse, prims


def test_batch_normalisation_becomes_weights_and_bias(rng: np.random.Generator) -> None:
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    graph = parse(
        "g (float[N,3,H,W] x) => (float[N,4,P,Q] y) "
        "{ c = Conv(x, w, b) n = BatchNormalization(c, s, t, m, v) y = Relu(n) }",
        w=f(4, 3, 3, 3),
        b=f(4),
        s=f(4),
        t=f(4),
        m=f(4),
        v=np.abs(f(4)) + 1,
    )
    changed = check(algebra, graph, f(2, 3, 7, 6), length=27)
    assert prims(changed) == ["conv", "add", "max"]


def test_scale_is_left_alone_if_the_convolution_has_other_readers(rng: np.random.Generator) -> None:
    w = rng.standard_normal((4, 3, 1, 1)).astype(np.float32)
    body = "g (float[N,3,H,W] x) => (float[N,4,H,W] y, float[N,4,H,W] c) { c = Conv(x, w) y = Mul(c, s) }"
    graph = parse(body, w=w, s=np.array(2.5, np.float32))
    changed = check(algebra, graph, rng.standard_normal((1, 3, 4, 4)).astype(np.float32))
    assert "mul" in prims(changed)


def test_two_biases_of_a_residual_sum_become_one(rng: np.random.Generator) -> None:
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    graph = parse(
        "g (float[N,8] x) => (float[N,8] y) "
        "{ p = MatMul(x, w1) a = Add(p, b1) q = MatMul(x, w2) b = Add(q, b2) s = Add(a, b) y = Relu(s) }",
        w1=f(8, 8),
        w2=f(8, 8),
        b1=f(8),
        b2=f(8),
    )
    changed = check(algebra, graph, f(5, 8))
    assert prims(changed).count("add") == 2


def test_division_stays_a_division_unless_the_reciprocal_is_exact(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5)).astype(np.float32)
    exact = parse("g (float[N,5] x) => (float[N,5] y) { y = Div(x, c) }", c=np.array(8.0, np.float32))
    assert prims(check(algebra, exact, x)) == ["mul"]
    inexact = parse("g (float[N,5] x) => (float[N,5] y) { y = Div(x, c) }", c=np.array(3.0, np.float32))
    assert prims(check(algebra, inexact, x)) == ["div"]


def test_a_column_times_a_row_is_no_product_of_matrices(rng: np.random.Generator) -> None:
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    graph = parse("g (float[B,N,1] x, float[1,M] z) => (float[B,N,M] y) { y = MatMul(x, z) }")
    assert prims(check(algebra, graph, f(2, 5, 1), f(1, 7))) == ["reshape", "mul"]
    graph = parse("g (float[N,1] x) => (float[N,6] y) { y = Gemm<transB = 1>(x, w, b) }", w=f(6, 1), b=f(6))
    assert "dot" not in prims(check(algebra, graph, f(5, 1)))
    points = parse("g (uint8[N,1] x, int8[1,M] z) => (int32[N,M] y) { y = MatMulInteger(x, z) }")
    x, z = rng.integers(0, 255, (5, 1), np.uint8), rng.integers(-128, 127, (1, 7), np.int8)
    assert "dot" not in prims(check(algebra, points, x, z))
    longer = parse("g (float[N,2] x, float[2,M] z) => (float[N,M] y) { y = MatMul(x, z) }")
    assert prims(check(algebra, longer, f(5, 2), f(2, 7))) == ["dot"]


RANGE = "g (float[N,M] x) => (float high) {{ f = {f} r = {end}<keepdims = 0>(f) high = {limit}(r, c) }}"


@pytest.mark.parametrize("f", ["Tanh(x)", "Sigmoid(x)"])
@pytest.mark.parametrize(("end", "limit"), [("ReduceMax", "Max"), ("ReduceMin", "Min")])
def test_the_range_of_what_never_falls_is_that_of_its_operand(
    f: str, end: str, limit: str, rng: np.random.Generator
) -> None:
    graph = parse(RANGE.format(f=f, end=end, limit=limit), c=np.array(0.5, np.float32))
    x = rng.standard_normal((5, 9)).astype(np.float32)
    special = np.where(x > 1, np.inf, np.where(x < -1, -np.inf, x)).astype(np.float32)
    for feed in (x, special, np.where(x > 1, np.nan, x), x[:, :0], np.full_like(x, -np.inf)):
        changed = check(algebra, graph, feed.astype(np.float32))
    kinds = prims(changed)
    assert kinds.index({"ReduceMax": "rmax", "ReduceMin": "rmin"}[end]) < kinds.index(f[:-3].lower())


@pytest.mark.parametrize(
    ("f", "end", "limit", "c"),
    [
        ("Tanh(x)", "ReduceMax", "Max", -2.0),
        ("Sigmoid(x)", "ReduceMin", "Min", 1.5),
        ("Tanh(x)", "ReduceMin", "Max", 0.0),
        ("Exp(x)", "ReduceMax", "Max", 0.0),
    ],
    ids=["below all", "above all", "another end", "another function"],
)
def test_other_ranges_are_left_alone(f: str, end: str, limit: str, c: float) -> None:
    graph = parse(RANGE.format(f=f, end=end, limit=limit), c=np.array(c, np.float32))
    assert prims(algebra(graph, GOAL)) == prims(graph)


@pytest.mark.parametrize(
    "body",
    [
        "s = Mul(x, root) e = Erf(s) p = Add(e, one) h = Mul(p, half) y = Mul(x, h)",
        "s = Div(x, two) e = Erf(s) p = Add(e, one) h = Mul(x, p) y = Mul(h, half)",
        "s = Div(x, two) e = Erf(s) p = Add(one, e) h = Mul(x, half) y = Mul(h, p)",
    ],
)
def test_a_product_with_the_share_of_normals_is_gelu(body: str, rng: np.random.Generator) -> None:
    n = lambda v: np.array(v, np.float32)  # noqa: E731
    constants = {"root": n(0.5**0.5), "two": n(2**0.5), "one": n(1), "half": n(0.5)}
    graph = parse(f"g (float[N,8] x) => (float[N,8] y) {{ {body} }}", **constants)
    assert prims(check(algebra, graph, rng.standard_normal((3, 8)).astype(np.float32))) == ["gelu"]


@pytest.mark.parametrize("factor", [0.7, 0.25])
def test_other_products_with_erf_are_left_alone(factor: float, rng: np.random.Generator) -> None:
    half, root = (0.5, factor) if factor == 0.7 else (factor, 0.5**0.5)
    constants = {"root": np.float32(root), "one": np.float32(1), "half": np.float32(half)}
    constants = {k: np.array(v) for k, v in constants.items()}
    body = "s = Mul(x, root) e = Erf(s) p = Add(e, one) h = Mul(p, half) y = Mul(x, h)"
    graph = parse(f"g (float[N,8] x) => (float[N,8] y) {{ {body} }}", **constants)
    assert "erf" in prims(check(algebra, graph, rng.standard_normal((3, 8)).astype(np.float32)))
