"""Steps of control flow over programs that are functions: what is fed, what is kept, how they end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.errors import RunError
from sardonyx.runtime.control import Body, Choice, Repetition, Traversal


class Formula:
    """A program that is a function of arrays."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def run(self, feeds: Any, wanted: tuple[int, ...]) -> list[Any]:
        results = self._function(*feeds)
        return [results[n] for n in wanted]


def body(function: Any, *passed: int, sizes: Any = ()) -> Body:
    """A body of such a function, which `passed` says are arguments or -1."""
    return Body(function, passed, sizes)


def begun(step: Any) -> Any:
    return step.start(Formula)


def refuse(*_: Any) -> Any:
    raise RunError("it broke")


ONE = np.float32([1, 2])


def test_a_choice_feeds_each_branch_with_its_own() -> None:
    then = body(lambda a, b: [a + b], -1)
    run = begun(Choice(then, Body(None, (1, 0), ()), 2, "if"))
    args = (ONE, ONE * 2, ONE * 3, ONE * 4)
    assert run((np.array(True), *args), {})[0].tolist() == [3, 6]
    found = run((np.array([False]), *args), {})
    assert found[0] is args[3]
    assert found[1] is args[2]


def test_outer_sizes_are_the_extents_of_empty_arrays_fed_last() -> None:
    n = dims.symbol("N")
    then = body(lambda x, *sizes: [np.array([size.shape for size in sizes])], -1, sizes=(n, n * 2))
    run = begun(Choice(then, then, 1, "if"))
    assert run((np.array(True), ONE), {"N": 5})[0].tolist() == [[0, 5], [0, 10]]


def test_arrays_are_fed_dense() -> None:
    then = body(lambda x: [np.array(x.flags.c_contiguous)], -1)
    strided = np.arange(6, dtype=np.float32)[::2]
    assert begun(Choice(then, then, 1, "if"))((np.array(True), strided), {}) == [True]


def counted(number: Any, condition: Any, state: Any, most: Any) -> list[Any]:
    return [np.array([number + 1 < most]), state + number, state]


@pytest.mark.parametrize(
    ("limit", "condition", "rounds"),
    [(5, True, 3), (2, True, 2), (0, True, 0), (5, False, 0), (None, True, 3)],
)
def test_a_loop_ends_by_its_count_or_its_condition(limit: int | None, condition: bool, rounds: int) -> None:
    step = Repetition(
        body(counted, -1, -1, -1), limit is not None, True, 1, ((np.int64, (2, dims.symbol("N"))),), "loop"
    )
    head = [] if limit is None else [np.array([limit])]
    state, rows = begun(step)((*head, np.array(condition), np.array([[7]]), np.array(3)), {"N": 1})
    assert state.tolist() == [[7 + sum(range(rounds))]]
    assert rows.shape == ((rounds, 1, 1) if rounds else (0, 2, 1))


def test_a_loop_without_a_condition_begins() -> None:
    step = Repetition(Body(None, (1, 0), ()), True, False, 1, (), "loop")
    assert begun(step)((np.array(4), np.array(9)), {}) == [3]


@pytest.mark.parametrize("count", [3, 4097])
def test_rows_of_another_shape_are_refused_however_many_there_may_be(count: int) -> None:
    step = Repetition(
        body(lambda n, c, s: [c, s, np.zeros(2 + (n == 2))], -1, -1, -1),
        True,
        False,
        1,
        ((np.float64, (2,)),),
        "loop",
    )
    with pytest.raises(RunError, match=r"^loop, iteration 2: a stacked result has shape \[3\] after \[2\]"):
        begun(step)((np.array(count), ONE), {})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.array([1, 2]), np.array(True), ONE), r"the trip count must be one element, its shape is \[2\]"),
        (
            (np.array(1), np.array([True, False]), ONE),
            r"the condition must be one element, its shape is \[2\]",
        ),
    ],
)
def test_counts_and_conditions_are_one_element(args: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        begun(Repetition(Body(None, (1, 2), ()), True, True, 1, (), "loop"))(args, {})


def test_a_scan_goes_through_all_arrays_at_once() -> None:
    step = Traversal(body(lambda s, a, b, w: [s + a * b, s * w], -1, -1), 1, 2, ((np.float32, ()),), "scan")
    a, b = np.float32([1, 2, 3]), np.float32([4, 5, 6])
    state, rows = begun(step)((np.float32(0), a, b, np.float32(10)), {})
    assert (float(state), rows.tolist()) == (32, [0, 40, 140])
    with pytest.raises(RunError, match=r"scan: the scanned inputs have different lengths \[3, 2\]"):
        begun(step)((np.float32(0), a, b[:2], np.float32(10)), {})


def test_a_fault_says_in_which_step_and_iteration() -> None:
    broken = body(refuse, -1, -1)
    cases = [
        (Choice(broken, broken, 1, "here"), (np.array(True), ONE), "here"),
        (Repetition(broken, True, False, 1, (), "here"), (np.array(2), ONE), "here, iteration 0"),
        (Traversal(broken, 1, 1, (), "here"), (ONE, ONE), "here, iteration 0"),
    ]
    for step, args, place in cases:
        with pytest.raises(RunError, match=f"^{place}: it broke$"):
            begun(step)(args, {})
