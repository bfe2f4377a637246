"""Conditions on sizes: none where they are proven, one with a place and a reason where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.algorithms import linalg, region, sort  # noqa: F401
from sardonyx.ir.bounds import obligations, unproven
from sardonyx.ir.graph import Graph
from sardonyx.ir.obligation import alike, natural, same
from sardonyx.ir.value import Value, const, make, placeholder

N, M = dims.symbol("N"), dims.symbol("M")


def x(*shape: object) -> Value:
    return placeholder("x", dt.F32, shape)  # type: ignore[arg-type]


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
    assert messages(value) == ["dot: inner sizes of a matrix product differ"]


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
