"""What a canary does next, by what was counted."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.protocol.records import CanaryPlan
from sardonyx.registry.canary import Move, verdict
from sardonyx.registry.observed import Counts

PLAN = CanaryPlan(deployment="green", steps=(5, 50, 100), interval_s=60, min_requests=20)


def counts(requests: int, errors: int = 0, seconds: float = 0.01) -> Counts:
    found = Counts()
    for number in range(requests):
        found.add(seconds, failed=number < errors)
    return found


def mixed(quick: int, slow: int) -> Counts:
    found = counts(quick)
    found.merge(counts(slow, seconds=1.0))
    return found


@pytest.mark.parametrize(
    ("step", "held_s", "canary", "others", "move"),
    [
        (0, 59, counts(100), counts(1000), Move.WAIT),
        (0, 61, counts(100), counts(1000), Move.STEP),
        (0, 1e6, counts(19), counts(1000), Move.WAIT),
        (2, 61, counts(100), counts(1000), Move.DONE),
        (0, 5, counts(100, errors=2), counts(1000), Move.BACK),
        (0, 61, counts(100, errors=1), counts(1000), Move.STEP),
        (0, 5, counts(2, errors=2), counts(1000), Move.WAIT),
        (0, 5, counts(3, errors=3), counts(1000), Move.BACK),
        (0, 5, counts(20, seconds=0.016), counts(20, seconds=0.01), Move.BACK),
        (0, 61, counts(20, seconds=0.013), counts(20, seconds=0.01), Move.STEP),
        (0, 61, mixed(18, 2), counts(1000), Move.WAIT),
        (0, 61, mixed(12, 8), counts(1000), Move.BACK),
        (0, 61, mixed(900, 100), counts(1000), Move.BACK),
        (0, 61, mixed(960, 40), counts(1000), Move.STEP),
        (0, 61, counts(20, seconds=9), counts(0), Move.STEP),
        (0, 61, counts(20, seconds=0), counts(20, seconds=0), Move.STEP),
    ],
)
def test_a_verdict_rests_on_enough_answers(
    step: int, held_s: float, canary: Counts, others: Counts, move: Move
) -> None:
    assert verdict(PLAN, step, held_s, canary, others).move is move


@pytest.mark.parametrize(("factor", "back"), [(1.0, 0), (5.0, 50)])
def test_chance_sends_no_canary_back(factor: float, back: int) -> None:
    """Times vary by a factor of 2.7 either way; of 120 in a step, the canary is looked at after each ten."""
    random = np.random.default_rng(0)
    gone = 0
    for _ in range(50):
        others, canary = Counts(), Counts()
        for seconds in np.exp(random.normal(size=1000)):
            others.add(float(seconds), failed=False)
        for _ in range(12):
            for seconds in factor * np.exp(random.normal(size=10)):
                canary.add(float(seconds), failed=False)
            if verdict(PLAN, 0, 1, canary, others).move is Move.BACK:
                gone += 1
                break
    assert gone == back


def test_a_quantile_is_within_nine_percent() -> None:
    found = Counts()
    for number in range(1, 1001):
        found.add(number * 1e-3, failed=False)
    for share in (0.01, 0.5, 0.95, 0.99, 1.0):
        assert share <= found.quantile(share) <= share * 1.1
    assert found.slower(found.quantile(0.9)) <= 100
    assert (found.slower(0.0), found.slower(2.0)) == (1000, 0)
