"""Sizes that are broadcast to each other, known or not: which is the result, and what repeats."""

from __future__ import annotations

import pytest

from sardonyx.base import dim as dims
from sardonyx.base.broadcasting import broadcast, broadcast_stride

N, M = dims.symbol("N"), dims.symbol("M")
LARGE = dims.symbol("K", 2)


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [(1, N, N), (N, 1, N), (N, N, N), (3, N, 3), (N, 3, 3), (LARGE, N, LARGE), (N, LARGE, LARGE), (1, 1, 1)],
)
def test_what_is_known_decides(a: dims.Dim, b: dims.Dim, result: dims.Dim) -> None:
    assert broadcast(a, b) == result


def test_a_size_that_may_be_1_decides_nothing() -> None:
    some = dims.symbol("P", 1)
    assert dims.evaluate(broadcast(some, N), {"P": 1, "N": 4}) == 4
    assert dims.evaluate(broadcast(N, some), {"P": 1, "N": 4}) == 4


def test_two_unknown_sizes_are_decided_when_they_are_known() -> None:
    size = broadcast(N, M)
    assert size == broadcast(M, N)
    for n, m, result in ((1, 5, 5), (5, 1, 5), (5, 5, 5)):
        assert dims.evaluate(size, {"N": n, "M": m}) == result
    with pytest.raises(ValueError, match="sizes 2 and 3 do not broadcast"):
        broadcast(2, 3)


@pytest.mark.parametrize(("size", "result", "stride"), [(1, N, 0), (N, N, 7), (4, N, 7), (4, 4, 7)])
def test_an_axis_of_size_1_repeats(size: dims.Dim, result: dims.Dim, stride: int) -> None:
    assert broadcast_stride(size, result, 7) == stride


def test_a_stride_is_decided_when_sizes_are_known() -> None:
    stride = broadcast_stride(N, M, 7)
    assert [dims.evaluate(stride, {"N": n, "M": 5}) for n in (1, 5)] == [0, 7]


def test_a_part_cut_to_fit_broadcasts_to_the_whole() -> None:
    assert broadcast(dims.minimum(N, 512), N) == N
    with pytest.raises(ValueError, match="do not broadcast"):
        dims.evaluate(broadcast_stride(dims.minimum(N, 512), N, 1), {"N": 600})
