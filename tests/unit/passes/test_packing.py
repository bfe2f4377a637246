"""Weights that are fed are laid out as constant ones are, for every register tile."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.ir.value import const
from sardonyx.kernels.convolution.pack import pack_conv_weights, pack_plain_weights
from sardonyx.passes.packing import packed
from sardonyx.targets.x86_64 import isa

SHAPES = (
    (1, 1, 1, 1),
    (16, 3, 7, 7),
    (17, 16, 3, 3),
    (64, 64, 1, 1),
    (33, 50, 3, 2),
    (130, 31, 1, 5),
    (48, 129, 3),
)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("blocked", [True, False])
def test_both_layouts_are_one(shape: tuple[int, ...], blocked: bool, target: isa.Target) -> None:
    goal = Goal(target)
    w = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = (pack_conv_weights if blocked else pack_plain_weights)(w, 1, goal)
    data = packed(const(w), goal, blocked=blocked).data
    assert data is not None
    np.testing.assert_array_equal(data, expected.reshape(-1))
