"""What operators demand of shapes: the sizes they go on with, what is refused at once or by a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.premise import collect_premises
from sardonyx.ir.value import Value, placeholder
from sardonyx.ops.demands import (
    ANY,
    along,
    at_least,
    equal,
    one_or_along,
    ranked,
    shaped,
    single,
    spread_over,
)

N, C = dims.symbol("n"), dims.symbol("c")


def given(*shape: Dim) -> Value:
    return placeholder("v", dt.F32, shape)


def noted(demand: Callable[[], object]) -> list[Obligation]:
    """What a run must hold."""
    with collect_premises() as found:
        demand()
    return list(found.values())


def holds(demand: Callable[[], object], **sizes: int) -> bool:
    return all(o.holds(sizes) for o in noted(demand))


def test_a_value_gets_the_sizes_demanded() -> None:
    assert shaped(given(N), "b", C).shape == (C,)
    assert shaped(given(4), "b", C).shape == (4,)
    assert spread_over(given(N), "b", (2, C)).shape == (C,)
    assert spread_over(given(1, N), "b", (2, C)).shape == (1, C)
    assert along(given(N), "b", given(2, C, 5), 1).shape == (1, C, 1)
    assert one_or_along(given(1), "b", given(2, C, 5), 1).shape == ()
    assert one_or_along(given(N), "b", given(2, C, 5), 1).shape == (1, C, 1)
    assert single(given(N), "b").shape == ()


def test_what_is_proven_is_not_checked_again() -> None:
    assert not noted(lambda: shaped(given(N, 3), "b", N, 3))
    assert not noted(lambda: spread_over(given(1, N), "b", (C, N)))
    assert not noted(lambda: single(given(1, 1), "b"))
    assert not noted(lambda: equal(N * 2, N + N, "b"))
    assert not noted(lambda: at_least(N + 3, 3, "b"))


def test_a_run_must_hold_what_is_not_proven() -> None:
    for demand, right, wrong in (
        (lambda: shaped(given(N), "b", C), ((3, 3),), ((1, 3), (3, 1))),
        (lambda: spread_over(given(N), "b", (C,)), ((3, 3), (1, 3)), ((3, 1), (2, 3))),
        (lambda: spread_over(given(4), "b", (C,)), ((0, 4),), ((0, 1), (0, 3))),
        (lambda: single(given(N), "b"), ((1, 9),), ((0, 9), (2, 9))),
        (lambda: equal(N, C, "b"), ((2, 2),), ((1, 2),)),
        (lambda: at_least(N, C, "b"), ((2, 2), (3, 2)), ((1, 2),)),
    ):
        assert all(holds(demand, n=n, c=c) for n, c in right)
        assert not any(holds(demand, n=n, c=c) for n, c in wrong)


@pytest.mark.parametrize(
    "demand",
    [
        lambda: shaped(given(4), "the bias", 1),
        lambda: shaped(given(1), "the bias", 4),
        lambda: shaped(given(4, 1), "the bias", 4),
        lambda: spread_over(given(4), "the bias", (2, 1)),
        lambda: spread_over(given(1, 1, 4), "the bias", (2, 4)),
        lambda: single(given(2), "the bias"),
        lambda: along(given(1), "the bias", given(2, 3), 1),
        lambda: one_or_along(given(2), "the bias", given(2, 3), 1),
        lambda: one_or_along(given(3, 1), "the bias", given(2, 3), 1),
        lambda: ranked(given(2), "the bias", 2, ANY),
        lambda: ranked(given(2, 2, 2), "the bias", 1, 2),
        lambda: equal(3, 4, "the bias"),
        lambda: at_least(3, 4, "the bias"),
    ],
)
def test_contradictions_are_refused_at_once(demand: Callable[[], object]) -> None:
    with pytest.raises(ShapeError, match="the bias"):
        demand()
