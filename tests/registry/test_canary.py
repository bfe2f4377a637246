"""What a canary does next, by what was counted."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec.structs import replace

from sardonyx.database import Database
from sardonyx.protocol.records import CanaryPlan
from sardonyx.registry.canary import Move, verdict
from sardonyx.registry.observed import Counts, Observed, Tally

PLAN = CanaryPlan(deployment="green", steps=(5, 50, 100), interval_s=60, min_requests=20)


def counts(requests: int, errors: int = 0, seconds: float = 0.01, refused: int = 0) -> Counts:
    found = Counts(refused=refused)
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
        (0, 5, counts(0, refused=20), counts(1000), Move.BACK),
        (0, 5, counts(0, refused=19), counts(1000), Move.WAIT),
        (0, 61, counts(0, refused=100), counts(0), Move.WAIT),
        (0, 61, counts(50, refused=50), counts(500, refused=500), Move.STEP),
        (0, 61, counts(60, refused=40), counts(900, refused=100), Move.BACK),
        (0, 61, counts(60, refused=4), counts(1000, refused=40), Move.WAIT),
        (0, 61, counts(1000, refused=9), counts(1000), Move.STEP),
        (0, 5, counts(60, refused=4, seconds=0.1), counts(1000, refused=40), Move.BACK),
        (0, 61, counts(900, refused=0), counts(900, refused=100), Move.STEP),
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


@pytest.mark.parametrize(("extra", "back"), [(0.0, 0), (0.3, 50)])
def test_chance_refuses_for_no_canary(extra: float, back: int) -> None:
    """A tenth of what clients ask is refused, by the canary more; it is looked at after each ten."""
    random = np.random.default_rng(0)
    gone = 0
    for _ in range(50):
        canary, others = counts(0), counts(0)
        for _ in range(12):
            for side, number, rate in ((canary, 10, 0.1 + extra), (others, 20, 0.1)):
                refused = int(random.binomial(number, rate))
                side.merge(counts(number - refused, refused=refused))
            if verdict(PLAN, 0, 1, canary, others).move is Move.BACK:
                gone += 1
                break
    assert gone == back


@pytest.mark.parametrize(
    ("plan", "canary", "others", "said"),
    [
        (PLAN, counts(100, errors=2), counts(0), "2 of 100 requests failed, 2 %; 1 % are allowed"),
        (
            PLAN,
            counts(0, refused=40),
            counts(38, refused=2),
            "refused 40 of 40 requests, 100 %; the others 5 %",
        ),
        (replace(PLAN, quantile=0.999), counts(20, seconds=9), counts(20), "the 99.9 % quantile"),
    ],
)
def test_a_verdict_says_why_in_figures_that_show_it(
    plan: CanaryPlan, canary: Counts, others: Counts, said: str
) -> None:
    assert said in verdict(plan, 0, 5, canary, others).reason


def test_what_was_refused_is_kept_beside_the_rest(database: Database) -> None:
    tally, observed = Tally(), Observed(database)
    began_s = time.time()
    for moment in (began_s, began_s, began_s + 5):
        tally.refuse("shop", "green", moment)
        tally.add("shop", "green", moment, 0.01, failed=False)
        observed.add("here", tally.take())
    with database.read() as session:
        found = observed.since(session, "shop", datetime.fromtimestamp(int(began_s), UTC))["green"]
    assert (found.requests, found.errors, found.refused, found.asked) == (3, 0, 3, 6)


def test_a_quantile_is_within_nine_percent() -> None:
    found = Counts()
    for number in range(1, 1001):
        found.add(number * 1e-3, failed=False)
    for share in (0.01, 0.5, 0.95, 0.99, 1.0):
        assert share <= found.quantile(share) <= share * 1.1
    assert found.slower(found.quantile(0.9)) <= 100
    assert (found.slower(0.0), found.slower(2.0)) == (1000, 0)
