"""Sizes compiled into a function, and groups of sizes that may contradict each other."""

from __future__ import annotations

from functools import reduce

import pytest

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.functions import Refused, load

A, B = dims.symbol("a"), dims.symbol("b")


def test_sizes_come_in_the_order_added_and_shared_parts_once() -> None:
    evaluator = Evaluator(["a", "b"])
    half = dims.floordiv(B + 1, 2)
    slots = [evaluator.add(dim) for dim in (half * 3, half + B, 7, half * 3)]
    assert slots == [0, 1, 2, 0]
    assert evaluator.used == ("b",)
    assert evaluator.source().count("//") == 1
    assert load(evaluator.code())(5) == [9, 8, 7]


def test_values_are_taken_in_the_order_of_first_use_and_of_known_names_alone() -> None:
    evaluator = Evaluator({"b": None, "a": None})
    evaluator.add(A - B * 2)
    assert load(evaluator.code())(*({"a": 9, "b": 2}[name] for name in evaluator.used)) == [5]
    with pytest.raises(KeyError, match="c"):
        evaluator.add(dims.symbol("c") + A)


@pytest.mark.parametrize("count", [32, 33, 1100])
def test_sums_of_many_terms(count: int) -> None:
    evaluator = Evaluator(["a", "b"])
    evaluator.add(reduce(lambda total, n: total + dims.floordiv(A, n) * (-1) ** n, range(1, count + 1), 0))
    assert load(evaluator.code())(9000) == [sum(9000 // n * (-1) ** n for n in range(1, count + 1))]


def test_symbols_may_have_the_names_that_the_code_uses() -> None:
    names = ["g0[0]", "s1", "t0"]
    evaluator = Evaluator(names)
    first, second, third = map(dims.symbol, names)
    evaluator.add(dims.floordiv(first, second) + third)
    with evaluator.guarded():
        evaluator.add(second)
        outside = evaluator.hoisted(second * 2)
    evaluator.add(outside + first)
    assert load(evaluator.code())(7, 3, 5) == [7, 0, 3, 6, 13]


def test_an_impossible_size_is_an_error_outside_of_a_guard() -> None:
    evaluator = Evaluator(["a", "b"])
    evaluator.add(broadcasting.broadcast(A, B))
    with pytest.raises(ValueError, match="do not broadcast"):
        load(evaluator.code())(2, 3)


def test_a_guard_gives_zeros_and_says_why() -> None:
    evaluator = Evaluator(["a", "b"])
    outside = evaluator.add(A)
    with evaluator.guarded() as guard:
        evaluator.check(A - B, exact=False)
        evaluator.check(dims.mod(A, 2), exact=True)
        inside = [evaluator.add(dim) for dim in (broadcasting.broadcast(A, B), A, A * B)]
        hoisted = evaluator.hoisted(A * B + 1)
    after = evaluator.add(hoisted + A)
    assert inside[1] == outside
    evaluate = load(evaluator.code())
    for a, b, state, sizes in [
        (4, 4, 0, [4, 4, 16]),
        (4, 3, 1, [0, 4, 0]),
        (1, 4, 2, [0, 1, 0]),
        (3, 3, 3, [0, 3, 0]),
    ]:
        values = evaluate(a, b)
        assert values[guard.state] == state
        assert [values[slot] for slot in inside] == sizes
        assert values[after] == (a * b + 1 if state == 0 else 0) + a


def test_guards_inside_guards() -> None:
    evaluator = Evaluator(["a", "b"])
    with evaluator.guarded() as outer:
        first = evaluator.add(dims.floordiv(A, B))
        with evaluator.guarded() as inner:
            evaluator.check(A - 10, exact=False)
            second = evaluator.add(broadcasting.broadcast(A, B))
            hoisted = evaluator.hoisted(broadcasting.broadcast(A, B))
        evaluator.check(B - 2, exact=False)
        third = evaluator.add(hoisted * 2)
    evaluate = load(evaluator.code())

    def found(a: int, b: int) -> list[int]:
        values = evaluate(a, b)
        return [values[slot] for slot in (outer.state, inner.state, first, second, third)]

    assert found(12, 12) == [0, 0, 1, 12, 24]
    assert found(5, 5) == [0, 2, 1, 0, 0]
    assert found(12, 5) == [0, 1, 2, 0, 0]
    assert found(12, 1) == [2, 0, 0, 12, 0]
    assert found(12, 0)[0] == 1


def test_a_check_is_told_before_what_it_guards_is_computed() -> None:
    evaluator = Evaluator(["a", "b"])
    evaluator.check(A - 1, exact=False)
    evaluator.check(A - B, exact=True)
    evaluator.add(broadcasting.broadcast(A, B))
    evaluate = load(evaluator.code())
    assert evaluate(4, 4) == [4]
    for a, b, number in ((0, 0, 0), (4, 3, 1)):
        with pytest.raises(Refused) as refused:
            evaluate(a, b)
        assert refused.value.number == number
