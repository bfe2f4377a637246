"""Sizes: one normal form, bounds that hold, and values that agree with plain integers."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.functions import load
from tests.runnable import examples

N, M = dims.symbol("N", 1), dims.symbol("M", 1)
Pair = tuple[Dim, Callable[[int, int], int]]
LEAVES: list[Pair] = [(N, lambda n, m: n), (M, lambda n, m: m)]


def constants() -> st.SearchStrategy[Pair]:
    return st.integers(-9, 9).map(lambda c: (c, lambda n, m: c))


def grown(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """Expressions of expressions, each with the same computation over plain integers."""
    joined: dict[str, tuple[Callable[[Dim, Dim], Dim], Callable[[int, int], int]]] = {
        "+": (lambda a, b: a + b, lambda p, q: p + q),
        "-": (lambda a, b: a - b, lambda p, q: p - q),
        "*": (lambda a, b: a * b, lambda p, q: p * q),
        "max": (dims.maximum, max),
        "min": (dims.minimum, min),
    }

    def join(parts: tuple[str, Pair, Pair]) -> Pair:
        name, (a, f), (b, g) = parts
        symbolic, plain = joined[name]
        return symbolic(a, b), lambda n, m: plain(f(n, m), g(n, m))

    def divide(parts: tuple[Pair, int]) -> Pair:
        (a, f), c = parts
        return dims.floordiv(a, c), lambda n, m: f(n, m) // c

    return st.one_of(
        st.tuples(st.sampled_from(sorted(joined)), inner, inner).map(join),
        st.tuples(inner, st.integers(1, 8)).map(divide),
    )


expressions = st.recursive(st.sampled_from(LEAVES) | constants(), grown, max_leaves=8)


@settings(max_examples=examples(100, 300), deadline=None)
@given(expressions, st.integers(1, 50), st.integers(1, 50))
def test_an_expression_has_the_value_of_its_computation(pair: Pair, n: int, m: int) -> None:
    dim, plain = pair
    assert dims.evaluate(dim, {"N": n, "M": m}) == plain(n, m)
    low = dims.lower_bound(dim)
    assert low is None or low <= plain(n, m)
    evaluator = Evaluator(["N", "M"])
    evaluator.add(dim)
    values = [{"N": n, "M": m}[name] for name in evaluator.used]
    assert load(evaluator.code())(*values) == [plain(n, m)]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (dims.floordiv(N - 1, 2) + 1, dims.floordiv(N + 1, 2)),
        (dims.floordiv(dims.floordiv(N - 1, 2), 2) + 1, dims.floordiv(dims.ceildiv(N, 2) + 1, 2)),
        (dims.floordiv(N * M * 12, M * 4), N * 3),
        ((N + 1) * (N - 1), N * N - 1),
        (dims.floordiv(2 * N + 5, 2), N + 2),
        (dims.mod(4 * N, 2), 0),
    ],
)
def test_equal_sizes_have_one_form(a: Dim, b: Dim) -> None:
    assert a == b


def test_bounds_see_through_rounding() -> None:
    assert dims.maximum(2 * dims.floordiv(N - 1, 2) - N + 2, 0) == 2 * dims.floordiv(N + 1, 2) - N
    assert dims.lower_bound(N - dims.floordiv(N, 2)) is not None
    assert broadcasting.broadcast(2 * dims.ceildiv(N, 4), dims.ceildiv(N, 2)) == 2 * dims.ceildiv(N, 4)


def test_assumptions_hold_inside_their_block() -> None:
    size = dims.floordiv(N - 192, 128) + 1
    assert dims.at_least(size, 1) is None
    with dims.assuming() as least:
        dims.assume(size, 1)
        assert dims.at_least(size, 1)
        assert dims.maximum(size - 1, 0) == size - 1
        with dims.assuming():
            assert dims.at_least(size, 1)
            dims.assume(N, 7)
        assert dims.at_least(N, 7) is None
    assert dims.at_least(size, 1) is None
    with dims.assuming(least):
        assert dims.at_least(size, 1)


def test_division_by_an_unknown_number_rounds_toward_zero() -> None:
    unknown = dims.symbol("u", None)
    assert dims.evaluate(dims.truncdiv(N, unknown), {"N": 7, "u": -2}) == -3


def test_what_is_compared_already_is_not_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = dims.symbol("a"), dims.symbol("b"), dims.symbol("c")
    most = dims.maximum(dims.maximum(a, b), c)
    monkeypatch.setattr(dims, "at_least", None)
    for known in (a, b, c, most):
        assert dims.maximum(most, known) == most


def test_what_was_found_under_an_assumption_is_not_known_without_it() -> None:
    free = dims.symbol("free", None)
    with dims.assuming():
        assert dims.lower_bound(free + 2) is None
        dims.assume(free, 3)
        assert dims.lower_bound(free + 2) == 5
        with dims.assuming({}):
            assert dims.lower_bound(free + 2) is None
            dims.assume(free + 2, 4)
            assert dims.lower_bound(free + 2) == 4
        dims.assume(free, 7)
        assert dims.lower_bound(free + 2) == 9
    assert dims.lower_bound(free + 2) is None


def test_equal_sizes_know_the_least_values_of_their_own_symbols() -> None:
    """Two models in one process may name a size alike."""
    least, any_ = (dims.symbol("n", low) * 2 for low in (1, None))
    assert least == any_
    assert hash(least) == hash(any_)
    with dims.assuming():
        assert (dims.lower_bound(least), dims.lower_bound(any_)) == (2, None)
        assert (dims.lower_bound(any_), dims.lower_bound(least)) == (None, 2)


def test_sizes_are_the_same_in_another_process() -> None:
    size = dims.maximum(dims.floordiv(N - 3, 4), 0) * dims.symbol("m", 5) + 1
    copy = pickle.loads(pickle.dumps(size))
    assert copy == size
    assert hash(copy) == hash(size)
    assert str(copy) == str(size)
    assert dims.symbols(copy) == {"N", "m"}
    assert {type(name) for name in dims.symbols(copy)} == {str}
    assert dims.lower_bound(pickle.loads(pickle.dumps(dims.symbol("m", 5)))) == 5


def nested(steps: int) -> dims.Dim:
    """A size that stands twice in what follows from it, again and again."""
    size: dims.Dim = N
    for _ in range(steps):
        size = dims.function("broadcast", dims.maximum(size, 2), size)
    return size


def test_a_size_that_stands_twice_in_what_follows_from_it_costs_no_more_with_each_step() -> None:
    size = nested(60)
    assert len(str(size)) < 3000
    assert dims.evaluate(size, {"N": 5}) == 5
    assert dims.lower_bound(size) == 1
    with dims.assuming({N: 3}):
        assert dims.lower_bound(size) == 3
    assert dims.symbols(size) == {"N"}


def test_long_texts_tell_sizes_apart_and_are_the_same_each_time() -> None:
    assert str(nested(30)) == str(nested(30)) != str(nested(31))
    assert nested(30) == nested(30) != nested(31)
    assert dims.function("broadcast", dims.symbol("a, b"), 1) != dims.function(
        "broadcast", dims.symbol("a"), 1
    )
    assert str(dims.maximum(nested(30), M)) != str(dims.maximum(nested(31), M))


def test_products_of_long_sums_are_those_of_their_values() -> None:
    names = [f"v{n}" for n in range(40)]
    sums = [sum((dims.symbol(n) for n in names[at : at + 20]), at) for at in (0, 7, 20)]
    values = {name: n % 5 for n, name in enumerate(names)}
    product = dims.product(sums)
    assert isinstance(product, dims.Expr)
    assert len(product.terms) < 100
    assert dims.evaluate(product, values) == math.prod(dims.evaluate(s, values) for s in sums)
    assert dims.equal(product, sums[0] * sums[1] * sums[2]) is True
    assert dims.at_least(product, 0) is True
