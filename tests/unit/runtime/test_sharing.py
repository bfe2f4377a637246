"""Runs that learn whether threads help them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.sharing import FIRST, MOST, TRIAL, Sharing
from sardonyx.runtime.team import Team
from tests.unit.runtime.native import Program, build

Time = Callable[[bool], int]


def done(sharing: Sharing, runs: int, time: Time) -> list[bool]:
    """Which of so many runs were together, if they take as long as `time` says of that."""
    ways = []
    for _ in range(runs):
        ways.append(sharing.together)
        sharing.note(time(sharing.together))
    return ways


def test_threads_that_help_are_kept() -> None:
    ways = done(Sharing(), 20_000, lambda together: 60 if together else 100)
    assert ways[: TRIAL + FIRST] == [True] * (TRIAL + FIRST)
    assert ways.count(False) < 20 * TRIAL, "trials become rare"


def test_threads_that_do_not_help_are_left_alone() -> None:
    ways = done(Sharing(), 20_000, lambda together: 100 if together else 60)
    assert not any(ways[TRIAL + FIRST : TRIAL + 2 * FIRST])
    assert ways.count(True) < FIRST + 20 * TRIAL


def test_a_cold_first_run_does_not_count() -> None:
    times = iter([5_000])
    sharing = Sharing()
    done(sharing, 2 * TRIAL + FIRST, lambda together: next(times, 60 if together else 100))
    assert sharing.together


def test_a_tie_changes_nothing() -> None:
    assert done(Sharing(), FIRST + 2 * TRIAL + 1, lambda together: 100)[-1]


def test_a_machine_that_becomes_busy_is_noticed_at_once() -> None:
    sharing = Sharing()
    done(sharing, 10_000, lambda together: 60 if together else 100)
    ways = done(sharing, 1_000, lambda together: 4_000 if together else 110)
    assert ways.index(False) <= FIRST
    assert ways.count(True) <= FIRST + 10, "a trial of threads that come late ends with its first run"


def test_a_machine_that_becomes_free_is_noticed_in_time() -> None:
    sharing = Sharing()
    done(sharing, 30_000, lambda together: 4_000 if together else 100)
    ways = done(sharing, 2 * MOST, lambda together: 60 if together else 100)
    assert ways[-1]


def test_the_first_run_of_a_trial_may_wake_threads() -> None:
    slow, woken = Sharing(), iter([90, *[12] * 1_000])
    done(slow, FIRST + 2 * TRIAL, lambda together: 40 if together else 20)
    assert not slow.together
    done(slow, FIRST, lambda together: 20)
    assert slow.together
    assert all(done(slow, TRIAL, lambda together: next(woken)))
    assert slow.together


@pytest.fixture(scope="module")
def image() -> LoadedImage:
    return build()


def test_a_team_does_as_its_runs_have_learnt(image: LoadedImage) -> None:
    team, counts, sharing = Team(image, 2), np.zeros(2, np.int64), Sharing()
    launch = Program(image, ("count", [counts])).launch(2, sharing=sharing)
    assert team.run(launch) is None
    assert counts.tolist() == [2, 2], "each thread adds their number"
    sharing.together = False
    assert team.run(launch) is None
    assert counts.tolist() == [3, 2]
    failure, profile = team.profile(launch)
    assert failure is None
    assert counts.tolist() == [5, 4], "a profile is of all threads"
    assert profile.busy_ns.shape == (2, 1)
    team.close()


def test_a_run_that_fails_teaches_nothing(image: LoadedImage) -> None:
    class Deaf(Sharing):
        def note(self, time: int) -> None:
            raise AssertionError

    team = Team(image, 2)
    program = Program(image, ("fail", [0, 7]))
    assert team.run(program.launch(2, sharing=Deaf())) is not None
    team.close()
