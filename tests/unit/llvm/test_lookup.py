"""Each lane has the element that it asked for, out of one vector, two, or more."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.llvm.lookup import looked_up, looks_up
from tests.runnable import runnable_targets
from tests.unit.llvm.written import run


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("target", runnable_targets(), ids=lambda target: target.name)
def test_lanes_pick_elements_of_any_vector(target: Target, count: int) -> None:
    lanes = target.lanes
    table = np.random.default_rng(count).normal(size=(count, lanes)).astype(np.float32)
    place = np.random.default_rng(lanes).integers(0, count * lanes, lanes).astype(np.int32)
    place[[0, -1]] = count * lanes - 1, 0
    (got,) = run(lambda f, at, *v: [looked_up(f, target, v, at)], place, *table, target=target)
    assert got.tolist() == table.ravel()[place].tolist()


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda target: target.name)
def test_a_target_says_of_which_types(target: Target) -> None:
    assert looks_up(target, f"<{target.lanes} x float>")
    assert not looks_up(target, f"<{target.lanes} x double>")
