"""Conditions on sizes: none where they are proven, one with a place and a reason where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir import conditions
from sardonyx.ir.algorithms import linalg, region, sort  # noqa: F401
from sardonyx.ir.graph import Graph
from sardonyx.ir.obligation import alike, natural, same
from sardonyx.ir.unproven import obligations, unproven
from sardonyx.ir.value import Value, const, make, placeholder

N, M = dims.symbol("N"), dims.symbol("M")


def x(*shape: object) -> Value:
    return placeholder("x", dt.F32, shape)  # type: ignore[arg-type]


def i(*shape: object) -> Value:
    return placeholder("i", dt.I64, shape)  # type: ignore[arg-type]


def messages(value: Value) -> list[str]:
    return [o.message for o in obligations(value)]


def test_words() -> None:
    assert list(same(N, N, "")) == []
    assert [o.exact for o in same(N, M, "differ")] == [True]
    assert list(natural(N, "")) == []
    assert [o.exact for o in natural(N - M, "negative")] == [False]
    with pytest.raises(ShapeError, match=r"wrong: \['?N'?\] instead of"):
        list(alike(x(N), (1, 2), "wrong"))


def test_proven_conditions_leave_nothing_to_check() -> None:
    assert messages(x(N, 4).dot(placeholder("w", dt.F32, (4, 3)))) == []
    assert messages(x(N, 4).reshape((N * 4,))) == []


def test_a_product_of_open_sizes() -> None:
    value = make("dot", (x(N, 4), placeholder("w", dt.F32, (M, 3))), {}, dt.F32, (N, 3))
    product = f"cannot multiply [{N}, 4] by [{M}, 3]"
    assert messages(value) == [f"dot: {product}: inner sizes of a matrix product differ"]


def test_a_slice_ends_inside_its_tensor() -> None:
    value = x(N).slice((2,), (3,))
    assert any("ends after its tensor" in text for text in messages(value))
    assert messages(x(8).slice((2,), (3,))) == []


def test_algorithms_say_their_own() -> None:
    square = make("det", (x(N, M),), {}, dt.F32, ())
    assert any("not square" in text for text in messages(square))
    attrs = {"k": 3, "axis": 0, "largest": True}
    best = make("topk", (x(N),), attrs, dt.F32, (3,), ((dt.F32, (3,)), (dt.I64, (3,))))
    assert any("k is larger than the axis" in text for text in messages(best))


def test_a_graph_says_each_once() -> None:
    value = make("dot", (x(N, 4), placeholder("w", dt.F32, (M, 3))), {}, dt.F32, (N, 3))
    graph = Graph(value.args, (("y", value + const(np.float32(1))), ("z", value)))
    assert [o.exact for o in unproven(graph)] == [True]


def told(condition: Any, value: Value, **sizes: int) -> bool:
    """Whether all that a condition says of a value holds for some sizes."""
    return all(o.holds(sizes) for o in condition(value, "here"))


@pytest.mark.parametrize(
    ("condition", "value", "good", "bad"),
    [
        (conditions.reshape, make("reshape", (x(N, 2),), {}, dt.F32, (M,)), (2, 4), (2, 3)),
        (conditions.dot, make("dot", (x(2, N), x(M, 2)), {}, dt.F32, (2, 2)), (3, 3), (3, 2)),
        (conditions.concat, make("concat", (x(N, 1), x(M, 1)), {"axis": 1}, dt.F32, (N, 2)), (3, 3), (3, 2)),
        (
            conditions.pad,
            make("pad", (x(2), const(np.float32(0))), {"low": (N - M,), "high": (0,)}, dt.F32, (N,)),
            (3, 3),
            (2, 3),
        ),
        (conditions.conv, make("conv", (x(1, N, 5), x(1, M, 2)), {"group": 2}, dt.F32, (1,)), (6, 3), (3, 3)),
        (
            conditions.conv_transpose,
            make("conv_transpose", (x(1, N, 5), x(M, 1, 2)), {}, dt.F32, (1,)),
            (3, 3),
            (3, 4),
        ),
        (
            conditions.gather_elements,
            make("gather_elements", (x(N, 2), i(M, 9)), {"axis": 1}, dt.F32, (M, 9)),
            (3, 2),
            (2, 3),
        ),
        (
            conditions.gather_nd,
            make("gather_nd", (x(N, 2), i(M, 1)), {"batch_dims": 1}, dt.F32, (M,)),
            (3, 3),
            (2, 3),
        ),
        (
            conditions.scatter_elements,
            make("scatter_elements", (x(5), i(N), x(M)), {"axis": 0, "reduction": "none"}, dt.F32, (5,)),
            (3, 3),
            (2, 3),
        ),
        (
            conditions.scatter_nd,
            make("scatter_nd", (x(5, N), i(2, 1), x(2, M)), {"reduction": "none"}, dt.F32, (5, N)),
            (3, 3),
            (2, 3),
        ),
        (conditions.slice_, x(N).slice((1,), (M,), (2,)), (6, 3), (5, 3)),
        (conditions.slice_, x(N).slice((M,), (3,), (-1,)), (6, 5), (6, 6)),
    ],
)  # fmt: skip
def test_each_condition_holds_and_fails(
    condition: Any, value: Value, good: tuple[int, int], bad: tuple[int, int]
) -> None:
    assert told(condition, value, N=good[0], M=good[1])
    assert not told(condition, value, N=bad[0], M=bad[1])


def test_an_empty_slice_may_lie_anywhere() -> None:
    assert told(conditions.slice_, x(N).slice((9,), (M,)), N=3, M=0)
