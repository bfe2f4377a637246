"""Steps through clusters: how many registers hold a row, and which exit belongs to which answers."""

from __future__ import annotations

import pytest

from sardonyx.kernels.trees.steps import _exits, registers_of
from sardonyx.targets.x86_64 import isa

BY_NAME = {target.name: target for target in isa.TARGETS}


@pytest.mark.parametrize(
    ("features", "narrow", "wide"),
    [(0, 1, 1), (1, 1, 1), (8, 1, 1), (9, 2, 1), (17, 4, 2), (32, 4, 2), (33, 0, 4), (64, 0, 4), (65, 0, 0)],
)
def test_registers_of_a_row(features: int, narrow: int, wide: int) -> None:
    assert registers_of(features, BY_NAME["x86_64-v3"]) == narrow
    assert registers_of(features, BY_NAME["x86_64-v4"]) == wide


def test_the_exits_of_answers() -> None:
    exits = _exits()
    assert len(exits) == 256
    assert [exits[answer] for answer in (0b1111111, 0b0000000, 0b0000001, 0b0000100)] == [0, 7, 3, 5]
    assert all(exits[answer] == exits[answer | 0x80] for answer in range(0x80)), "the last bit says nothing"
    assert {exits.count(exit_) for exit_ in range(8)} == {32}
