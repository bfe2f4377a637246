"""The loops of a product are one function for packed and one for other operands."""

from __future__ import annotations

import re

import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.product.walk import DYNAMIC, PACKED, define_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module

GOAL = Goal(targets.detect())


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_both_kinds_share_copies_and_micro_kernels(dtype: str) -> None:
    module, shape = Module(), TileShape.of(GOAL, dtype)
    names = [define_block(module, GOAL, shape, kind) for kind in (PACKED, DYNAMIC)]
    assert len(set(names)) == 2
    defined = re.findall(r"^define .*?@(\w+)\(", module.text(), re.M)
    assert len(defined) == len(set(defined))
    assert set(names) <= set(defined)
    assert sum(name.startswith("pick_") for name in defined) == 1


def test_the_order_of_sums_is_part_of_the_policy() -> None:
    texts = []
    for precision in ("fp32", "strict"):
        module, goal = Module(), Goal(GOAL.target, Policy(precision))
        define_block(module, goal, TileShape.of(goal, "f32"), PACKED)
        texts.append(module.text())
    assert texts[0] != texts[1]
