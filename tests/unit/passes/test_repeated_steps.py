"""Steps and those that are repeated together are the weights, and no sum of 16 bits of either overflows."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.passes.repeated_steps import Repeated, pays, repeated
from sardonyx.passes.short_sums import fits
from sardonyx.targets.x86_64 import isa

GOAL = Goal(isa.V3)
WHOLE = Goal(isa.with_features(isa.V4, ["avx512vnni"]))
LEAST, MOST = -128, 128


def drawn(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return np.clip(np.rint(rng.standard_normal(shape) * deviation), LEAST, MOST - 1).astype(np.int8)


def joined(found: Repeated, k: int) -> np.ndarray:
    """The weights that all steps together multiply."""
    depth, columns = found.tile.k_step, found.tile.vectors * GOAL.target.lanes
    whole = found.weights[:, :k].astype(np.int64)
    for sample, panel, number in np.ndindex(found.steps.shape):
        at, step = k + number * depth, found.steps[sample, panel, number] * depth
        some = slice(panel * columns, (panel + 1) * columns)
        whole[sample, step : step + depth, some] += found.weights[sample, at : at + depth, some]
    return whole


@pytest.mark.parametrize("deviation", [10, 30, 90])
@pytest.mark.parametrize("shape", [(1, 64, 16), (2, 132, 41), (1, 4, 1), (1, 0, 5), (1, 8, 0)])
def test_all_steps_together_are_the_weights(
    shape: tuple[int, ...], deviation: float, rng: np.random.Generator
) -> None:
    w = drawn(rng, shape, deviation)
    found = repeated(w, GOAL)
    assert found is not None
    assert np.array_equal(joined(found, shape[1]), w)
    alone = replace(found.tile, instruction=replace(found.tile.instruction, steps=1))
    assert fits(found.weights[:, : shape[1]], found.tile)
    assert fits(found.weights[:, shape[1] :], alone)


@pytest.mark.parametrize("value", [LEAST, MOST - 1])
def test_the_largest_weights(value: int) -> None:
    w = np.full((1, 16, 20), value, np.int8)
    found = repeated(w, GOAL)
    assert found is not None
    assert np.array_equal(joined(found, 16), w)


def test_small_weights_pay_and_large_ones_do_not(rng: np.random.Generator) -> None:
    small, large = (drawn(rng, (1, 256, 64), deviation) for deviation in (10, 60))
    few = small.copy()
    few[0, 100, 3] = few[0, 101, 3] = MOST - 1
    assert [pays(w, GOAL) for w in (small, few, large)] == [True, True, False]


def test_a_tile_without_short_sums_repeats_nothing(rng: np.random.Generator) -> None:
    assert repeated(drawn(rng, (1, 64, 16), 60), WHOLE) is None
