"""Rows picked by data and turned: where they are joined, they are turned once, behind that."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.graph import Graph
from sardonyx.passes.picked_rows import joined_rows
from tests.unit.passes.graphs import check, parse, prims

RANDOM = np.random.default_rng(1)
X = RANDOM.standard_normal((2, 10, 6)).astype(np.float32)
PLACES = RANDOM.integers(-10, 10, (2, 3, 4, 1))


def joined(shapes: list[list[int]], axis: int, perms: list[list[int]]) -> Graph:
    """Picked rows [2, 3, 4, 6], turned, in these shapes, joined."""
    parts = [
        f"g{n} = GatherND<batch_dims = 1>(x, i) e{n} = Exp(g{n}) f{n} = Mul(e{n}, k{n}) "
        f"t{n} = Transpose<perm = {perm}>(f{n}) p{n} = Reshape(t{n}, s{n})"
        for n, perm in enumerate(perms)
    ]
    names = ", ".join(f"p{n}" for n in range(len(perms)))
    join = f"y = Concat<axis = {axis}>({names})"
    body = f"g (float[2,10,6] x, int64[2,3,4,1] i) => (float[?] y) {{ {' '.join(parts)} {join} }}"
    sizes = {f"s{n}": np.array(shape) for n, shape in enumerate(shapes)}
    factors = {f"k{n}": np.array(n + 1.5, np.float32) for n in range(len(perms))}
    return parse(body, **sizes, **factors)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ([2, 6, 3, 4], 3),
        ([2, 6, 3, 4], 1),
        ([2, 6, 3, 1, 4], 3),
        ([1, 2, 6, 1, 3, 4], 5),
        ([2, 6, 3, 4, 1], 4),
    ],
)
def test_rows_are_turned_behind_the_join(shape: list[int], axis: int) -> None:
    changed = check(joined_rows, joined([shape] * 3, axis, [[0, 3, 1, 2]] * 3), X, PLACES)
    assert prims(changed).count("transpose") == 1
    assert prims(changed)[-2:] == ["concat", "transpose"]


def test_a_part_without_an_axis_of_size_one_keeps_the_others() -> None:
    graph = parse(
        """g (float[2,10,6] x, int64[2,1,4,1] i) => (float[?] y) {
            a = GatherND<batch_dims = 1>(x, i)
            b = Exp(a)
            c = Transpose<perm = [0, 3, 1, 2]>(b)
            d = Squeeze(c, two)
            e = Transpose<perm = [0, 3, 1, 2]>(a)
            f = Squeeze(e, two)
            y = Concat<axis = 2>(d, f)
        }""",
        two=np.array([2]),
    )
    assert prims(check(joined_rows, graph, X, PLACES[:, :1])).count("transpose") == 1


@pytest.mark.parametrize(
    "second",
    [
        "Transpose<perm = [0, 3, 2, 1]>(a)",
        "Transpose<perm = [0, 3, 1, 2]>(w)",
        "Exp(c)",
    ],
)
def test_parts_that_are_not_all_turned_alike_stay(second: str) -> None:
    graph = parse(
        f"""g (float[2,10,6] x, int64[2,4,4,1] i, float[2,4,4,6] w) => (float[?] y) {{
            a = GatherND<batch_dims = 1>(x, i)
            c = Transpose<perm = [0, 3, 1, 2]>(a)
            d = {second}
            y = Concat<axis = 1>(c, d)
        }}"""
    )
    w = RANDOM.standard_normal((2, 4, 4, 6)).astype(np.float32)
    changed = check(joined_rows, graph, X, RANDOM.integers(-10, 10, (2, 4, 4, 1)), w)
    assert prims(changed) == prims(graph)


def test_a_turned_part_whose_axes_are_joined_stays() -> None:
    graph = joined([[2, 18, 4]] * 2, 1, [[0, 3, 1, 2]] * 2)
    assert prims(check(joined_rows, graph, X, PLACES)) == prims(graph)
