"""What is taken for granted of sizes is noted, once and with its reason; what is proven is not."""

from __future__ import annotations

import itertools

import pytest

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.errors import ShapeError
from sardonyx.ir.origin import origin
from sardonyx.ir.premise import broadcast_shape, collect_premises, must_broadcast, must_equal, only_premises

N, M = dims.symbol("N", 1), dims.symbol("M", 1)


def test_only_what_is_not_proven_is_noted_and_once() -> None:
    with collect_premises() as found, origin("Add_3"):
        must_equal(N, N, "never")
        must_equal(N * 2, M, "sizes {} and {} differ", N, (M, 4))
        must_equal(N * 2, M, "again")
    ((premise),) = found.values()
    assert premise.exact
    assert premise.message.startswith("Add_3: sizes N and [")
    assert premise.holds({"N": 2, "M": 4})
    assert not premise.holds({"N": 2, "M": 5})


@pytest.mark.parametrize(("a", "b"), [(33, 32), (N + 1, N)])
def test_what_surely_differs_is_refused(a: dims.Dim, b: dims.Dim) -> None:
    with pytest.raises(ShapeError, match="sizes .* differ"):
        must_equal(a, b, "sizes {} and {} differ", a, b)


def test_outside_a_collection_nothing_is_kept() -> None:
    must_equal(N, M, "lost")
    must_broadcast(N, M, N)
    with collect_premises() as found:
        pass
    assert not found


def test_only_what_is_wanted_of_a_block_is_passed_on() -> None:
    with collect_premises() as found:
        with only_premises(lambda size: "N" in dims.symbols(size)):
            must_equal(N, 4, "kept")
            must_equal(M, 4, "dropped")
        must_equal(M, 5, "outside")
    assert list(found) == [(N - 4, True), (M - 5, True)]
    with only_premises(lambda size: True):
        must_equal(N, 4, "lost")


@pytest.mark.parametrize(("n", "m"), list(itertools.product(range(1, 4), repeat=2)))
def test_broadcasts_hold_where_numpy_allows_them(n: int, m: int) -> None:
    with collect_premises() as found:
        must_broadcast(N, M, broadcasting.broadcast(N, M))
    assert found
    assert all(p.holds({"N": n, "M": m}) for p in found.values()) == (n == m or 1 in (n, m))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_known_result_bounds_both(n: int) -> None:
    with collect_premises() as found:
        must_broadcast(N, 2, 2)
    assert all(p.holds({"N": n}) for p in found.values()) == (n in (1, 2))


def test_shapes_have_a_common_one_or_contradict_each_other() -> None:
    with collect_premises() as premises:
        assert broadcast_shape((1, N, M), (N, 1, M), ()) == (N, N, M)
        assert not premises
        assert broadcast_shape((N,), (3,), ()) == (3,)
        assert premises, "N is 1 or 3"
    with pytest.raises(ShapeError, match=r"size 2 does not broadcast with 3 \(shape \[2, 4\]\)"):
        broadcast_shape((2, 4), (3, 4), (2, 4))
