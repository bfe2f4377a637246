"""Products by 49 multiplications: what they read, and how near they come to what they make of it."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.product import walk as product
from sardonyx.kernels.strassen.scheme import PRODUCTS
from sardonyx.kernels.strassen.twice import define_twice
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from tests.unit.kernels.strassen.test_strassen import LEVELS, TARGETS, Case, Drawn, define_products
from tests.unit.kernels.traced import FETCHES, LINE, Trace


@LEVELS
def test_rows_beside_one_that_is_not_finite_are_left_to_another_block(target: Target) -> None:
    goal, module = Goal(target), Module()
    shape = TileShape.of(goal, "f32")
    direct = product.define_block(module, goal, shape, product.PACKED)
    assert f"call void @{direct}(" in module.part(define_twice(module, shape, direct))


@TARGETS
def test_it_is_another_sum_than_seven_products_are(target: Target) -> None:
    once, twice, none = (Drawn(Case(40, 64, 128, twice=rows)).run(target) for rows in (41, 40, 1 << 40))
    assert np.array_equal(once, none)
    assert not np.array_equal(once, twice)


@TARGETS
@pytest.mark.parametrize("end", ["store", "epilogue"])
def test_ranges_of_k_and_groups_of_panels_change_little(target: Target, end: str) -> None:
    case = Case(61, 256, 512, twice=4)
    whole = Drawn(case).run(target, end)
    parts = Drawn(Case(61, 256, 512, twice=4, steps=32, panels=1, fours=5)).run(target, end)
    assert np.abs(whole - parts).max() < 1e-4 * np.abs(whole).max()


@TARGETS
def test_weights_are_prefetched_where_sums_are_made_of_them(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, FETCHES[1], define_products)
    drawn = Drawn(Case(120, 256, 512, twice=4))
    drawn.kernels = lambda _: trace
    drawn.run(target)
    lines = drawn.w.nbytes * PRODUCTS / 4 / LINE
    assert len(trace.fetched) > 0.8 * lines
