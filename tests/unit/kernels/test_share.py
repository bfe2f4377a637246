"""Runs cover all items once, and differ by one at the most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base.abi import Context
from sardonyx.emit.shares import Shares
from sardonyx.kernels.share import Cut, ceil_div, evenly, my_runs, new_words, round_up, split
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import run

CASES = [(total, parts) for total in (0, 1, 5, 16, 1000) for parts in (1, 2, 3, 7, 16)]


def test_every_item_is_in_one_run() -> None:
    for total, parts in CASES:
        cuts = run(
            lambda f, t, p, n=parts: [
                *(v for i in range(n) for v in split(f, t, int_(i), p)),
                *(Cut.of(f, t, p).size(f, int_(i)) for i in range(n)),
                Cut.of(f, t, p).largest(f),
            ],
            np.array([total]),
            np.array([parts]),
        )
        bounds, sizes = (
            [int(v[0]) for v in cuts[: 2 * parts]],
            [int(v[0]) for v in cuts[2 * parts : 3 * parts]],
        )
        lows, highs = bounds[::2], bounds[1::2]
        assert lows[0] == 0
        assert highs[-1] == total
        assert lows[1:] == highs[:-1]
        assert sizes == [high - low for low, high in zip(lows, highs, strict=True)]
        assert max(sizes) - min(sizes) <= 1
        assert sizes == sorted(sizes, reverse=True), "the larger runs come first"
        assert int(cuts[-1][0]) == max(sizes)


@given(st.integers(0, 2**40), st.integers(1, 2**20))
@settings(max_examples=5, deadline=None)
def test_quotients_are_rounded_up(a: int, b: int) -> None:
    (got,) = run(lambda f, x, y: [ceil_div(f, x, y)], np.array([a]), np.array([b]))
    assert got[0] == -(-a // b)


@pytest.mark.parametrize("multiple", [1, 8, 16])
def test_sizes_are_rounded_up(multiple: int) -> None:
    for size in (0, 1, multiple - 1, multiple, multiple + 1, 1000):
        (got,) = run(lambda f, v, m=multiple: [round_up(f, v, m)], np.array([size]))
        assert int(got[0]) == -(-size // multiple) * multiple


@pytest.mark.parametrize(("total", "most"), [(1, 5), (10, 5), (11, 5), (100, 33), (7, 100)])
def test_runs_are_even_and_few(total: int, most: int) -> None:
    (got,) = run(lambda f, t, m: [evenly(f, t, m)], np.array([total]), np.array([most]))
    runs = -(-total // most)
    assert int(got[0]) == -(-total // runs) <= most


@pytest.mark.parametrize("given_words", [{}, {1: 7}, {0: 3, 2: -1}])
def test_words_that_are_not_given_are_zero(given_words: dict[int, int]) -> None:
    def write(f: Function, _: V) -> list[V]:
        block = new_words(f, {n: int_(v) for n, v in given_words.items()}, 3)
        return [f.word(block, n) for n in range(3)]

    assert [int(v[0]) for v in run(write, np.array([0]))] == [given_words.get(n, 0) for n in range(3)]


@pytest.mark.parametrize("threads", [1, 3, 12])
def test_threads_share_out_all_units_once(threads: int) -> None:
    outer, unit = 3, 4

    def write(f: Function, _: V) -> list[V]:
        done = new_words(f, {}, outer * unit)
        for tid in range(threads):
            ctx = new_words(f, {Context.TID: int_(tid), Context.NTHREADS: int_(threads)}, Context.WORDS)
            shares = Shares.of(f, ctx, int_(threads), int_(0), int_(outer * unit))
            with (
                my_runs(f, int_(outer), int_(unit), shares) as (index, first, last),
                f.loop(first, last) as item,
            ):
                at = f.gep(done, f.add(f.mul(index, int_(unit)), item.index), "i64")
                f.store(f.add(f.load(at, "i64"), int_(1)), at)
        return [f.word(done, n) for n in range(outer * unit)]

    assert [int(v[0]) for v in run(write, np.array([0]))] == [1] * (outer * unit)
