"""Primitives without a kernel family become maps and reductions with the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.passes.decompose import decompose
from tests.unit.passes.graphs import check, parse, prims


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
def test_arg_extremes_with_ties_and_nan(op: str, last: int) -> None:
    graph = parse(
        "g (float[N,5] x) => (int64[N] y) "
        f"{{ y = {op} <axis = 1, keepdims = 0, select_last_index = {last}> (x) }}"
    )
    x = np.array([[1, 3, 3, -2, -2], [0, 0, 0, 0, 0], [-np.inf, 1, np.inf, -np.inf, np.inf]], np.float32)
    changed = check(decompose, graph, x)
    assert not {"argmax", "argmin"} & set(prims(changed))


def test_three_dimensional_and_integer_convolutions(rng: np.random.Generator) -> None:
    w = rng.standard_normal((4, 2, 2, 3, 2)).astype(np.float32)
    graph = parse("g (float[N,4,A,B,C] x) => (float[N,4,D,E,F] y) { y = Conv <group = 2> (x, w) }", w=w)
    changed = check(decompose, graph, rng.standard_normal((2, 4, 4, 5, 3)).astype(np.float32))
    assert "conv" not in prims(changed)


def test_a_convolution_of_many_outputs_becomes_a_product(rng: np.random.Generator) -> None:
    w = rng.standard_normal((32, 2, 1, 3, 2)).astype(np.float32)
    graph = parse("g (float[N,4,A,B,C] x) => (float[N,32,D,E,F] y) { y = Conv <group = 2> (x, w) }", w=w)
    changed = check(decompose, graph, rng.standard_normal((2, 4, 3, 5, 3)).astype(np.float32))
    assert "dot" in prims(changed) and not {"conv", "sum"} & set(prims(changed))


def test_products_over_many_batch_axes(rng: np.random.Generator) -> None:
    graph = parse("g (float[A,1,B,2,3] x, float[C,B,3,4] w) => (float[A,C,B,2,4] y) { y = MatMul(x, w) }")
    x = rng.standard_normal((2, 1, 3, 2, 3)).astype(np.float32)
    check(decompose, graph, x, rng.standard_normal((5, 3, 3, 4)).astype(np.float32))


@pytest.mark.parametrize(("a", "b"), [("M,7", "7,1"), ("1,K", "K,9"), ("1,7", "7,1")])
@pytest.mark.parametrize("fed", [True, False])
def test_a_matrix_by_a_vector_is_a_sum(rng: np.random.Generator, a: str, b: str, fed: bool) -> None:
    """But for constant matrices, which are packed for tiles once."""
    rows, columns = (1 if "1" in s.split(",")[n] else 9 for s, n in ((a, 0), (b, 1)))
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows, 7), (7, columns)))
    body = f"(float[{a}] x%s) => (float[P,Q] y) {{ y = MatMul(x, w) }}"
    graph = parse("g " + body % f", float[{b}] w") if fed else parse("g " + body % "", w=w)
    changed = check(decompose, graph, x, *([w] if fed else []))
    assert ("dot" in prims(changed)) is (not fed and columns != 1)


@pytest.mark.parametrize(
    ("rows", "k", "n", "sums"), [(512, 3, 1, 1), (200, 4, 4, 1), (127, 4, 4, 0), (900, 5, 4, 0)]
)
@pytest.mark.parametrize("fed", [True, False])
def test_many_rows_by_a_tiny_matrix_are_sums(
    rng: np.random.Generator, rows: int, k: int, n: int, sums: int, fed: bool
) -> None:
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows, k), (k, n)))
    body = f"(float[{rows},{k}] x%s) => (float[{rows},{n}] y) {{ y = MatMul(x, w) }}"
    graph = parse("g " + body % f", float[{k},{n}] w") if fed else parse("g " + body % "", w=w)
    changed = check(decompose, graph, x, *([w] if fed else []))
    assert ("dot" in prims(changed)) is not sums


@pytest.mark.parametrize(
    ("a", "b"), [((3, 1, 7), (3, 7, 9)), ((2, 3, 9, 7), (2, 3, 7, 1)), ((4, 1, 7), (4, 7, 1))]
)
def test_fed_matrices_by_a_vector_each_are_sums(
    rng: np.random.Generator, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    graph = parse(
        f"g (float{list(a)} x, float{list(b)} w) => (float{list(a[:-1] + b[-1:])} y) {{ y = MatMul(x, w) }}"
    )
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (a, b))
    assert "dot" not in prims(check(decompose, graph, x, w))


@pytest.mark.parametrize(("a", "b"), [((5, 1, 7), (1, 7, 9)), ((1, 9, 7), (5, 7, 1))])
def test_a_matrix_that_many_vectors_share_is_multiplied_in_tiles(
    rng: np.random.Generator, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    shape = [5, *a[1:-1], b[-1]]
    graph = parse(f"g (float{list(a)} x, float{list(b)} w) => (float{shape} y) {{ y = MatMul(x, w) }}")
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (a, b))
    assert "dot" in prims(check(decompose, graph, x, w))
