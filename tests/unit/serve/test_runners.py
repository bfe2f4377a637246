"""How many runs go on at once, by what was answered in simulated time."""

from __future__ import annotations

import pytest

from sardonyx.serve.runners import Runners


def crowded(runners: Runners, together_ns: int, aside_ns: int, depth: int = 8, runs: int = 200) -> list[int]:
    """How many runs could begin at once before each run, where a row takes so long in either way."""
    now, seen = 1, []
    for _ in range(runs):
        begun = 0
        while runners.may_begin(depth):
            runners.begin()
            begun += 1
        seen.append(begun)
        for _ in range(begun):
            now += aside_ns if runners.are_aside(depth) else together_ns
            runners.end(1, depth, now)
    return seen


@pytest.mark.parametrize(("together_ns", "aside_ns", "usual"), [(10, 8, 4), (8, 10, 1), (100, 99, 1)])
def test_the_way_that_answers_more_is_kept(together_ns: int, aside_ns: int, usual: int) -> None:
    seen = crowded(Runners(1, 4), together_ns, aside_ns)
    assert set(seen) == {1, 4}
    assert seen[0] == 1
    assert seen.count(usual) > 150


@pytest.mark.parametrize(("least", "most", "depth"), [(1, 4, 7), (2, 2, 100), (1, 1, 100)])
def test_few_requests_and_what_was_configured_stay_as_they_are(least: int, most: int, depth: int) -> None:
    assert set(crowded(Runners(least, most), 10, 1, depth)) == {least}


def test_what_was_found_is_found_again_if_it_changes() -> None:
    runners = Runners(1, 2)
    assert crowded(runners, 10, 5)[-1] == 2
    assert crowded(runners, 10, 20, runs=5000)[-1] == 1


def test_each_run_leaves_the_others_their_requests() -> None:
    runners = Runners(1, 2)
    assert runners.share(9) == 9
    crowded(runners, 10, 5)
    assert [runners.share(depth) for depth in (3, 4, 8, 9)] == [3, 1, 2, 3]
