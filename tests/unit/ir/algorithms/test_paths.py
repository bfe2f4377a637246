"""The way through costs is the cheapest; tokens branch where the source has others."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.algorithms.paths import time_warp, token_branch

STEPS = ((1, 0), (0, 1), (1, 1))


def cheapest(cost: np.ndarray, i: int = 0, j: int = 0) -> float:  # type: ignore[type-arg]
    """The least sum of any way from (i, j) to the last corner."""
    rest = [cheapest(cost, i + a, j + b) for a, b in STEPS if i + a < cost.shape[0] and j + b < cost.shape[1]]
    return float(cost[i, j]) + min(rest, default=0.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 4), (4, 4)])
def test_no_way_is_cheaper(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(sum(shape)).random(shape).astype(np.float32)
    (path,) = time_warp(cost)
    assert path.dtype == np.int32
    assert path[:, 0].tolist() == [0, 0]
    assert path[:, -1].tolist() == [n - 1 for n in shape]
    assert {tuple(step) for step in np.diff(path).T.tolist()} <= set(STEPS)
    assert np.isclose(cost[path[0], path[1]].sum(), cheapest(cost))


@pytest.mark.parametrize(
    ("source", "tokens", "start", "predicted", "expected", "place"),
    [
        ([1, 5, 3, 4], [2], 0, [1, 5, 9, 9, 9], [2, 1, 5, 9], -1),
        ([1, 5, 3, 4], [2], 2, [3, 4, 5], [2, 3, 4, 5], 2),
        ([1, 2, 1, 2, 3], [7, 1, 2], 0, None, [7, 1, 2], -1),
        ([1, 2, 1, 2, 3], [2, 1, 2], 0, None, [2, 1, 2], 4),
        ([1, 2], [], 0, None, [], -1),
    ],
)
def test_tokens_go_on_as_far_as_the_source(
    source: list[int],
    tokens: list[int],
    start: int,
    predicted: list[int] | None,
    expected: list[int],
    place: int,
) -> None:
    more = [] if predicted is None else [np.array(predicted)]
    given = np.array(source), np.array(tokens, np.int64), np.array(start), *more
    found, at = token_branch(*given, least=1, most=3)
    assert (found.tolist(), int(at)) == (expected, place)


def test_a_prediction_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="do not continue"):
        token_branch(np.arange(4), np.arange(2), np.array(3), np.arange(4), least=1, most=3)
