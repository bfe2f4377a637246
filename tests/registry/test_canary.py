"""What a canary does next, by what was counted."""

from __future__ import annotations

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
        (0, 61, counts(20, seconds=9), counts(0), Move.STEP),
        (0, 61, counts(20, seconds=0), counts(20, seconds=0), Move.STEP),
    ],
)
def test_a_verdict_rests_on_enough_answers(
    step: int, held_s: float, canary: Counts, others: Counts, move: Move
) -> None:
    assert verdict(PLAN, step, held_s, canary, others).move is move


def test_a_quantile_is_within_nine_percent() -> None:
    found = Counts()
    for number in range(1, 1001):
        found.add(number * 1e-3, failed=False)
    for share in (0.01, 0.5, 0.95, 0.99, 1.0):
        assert share <= found.quantile(share) <= share * 1.1
