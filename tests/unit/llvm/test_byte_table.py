"""Each lane has the byte that it asked for, out of tables of one part to as many as there may be."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.llvm.byte_table import MOST, ByteTable, reach_of
from sardonyx.llvm.vec import Function, V
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.unit.llvm.written import run


@pytest.mark.parametrize("count", [1, 16, 17, 50, 64, 65, MOST])
@pytest.mark.parametrize("target", runnable_targets(), ids=lambda target: target.name)
def test_lanes_choose_bytes(target: Target, count: int) -> None:
    rng = np.random.default_rng(count)
    table = rng.integers(0, 256, 2 * MOST).astype(np.uint8)
    place = rng.integers(0, count, 4 * target.lanes).astype(np.uint8)
    place[[0, -1]] = count - 1, 0

    def write(f: Function, places: V, whole: V) -> list[V]:
        memory = f.alloca("i8", len(table))
        f.store(whole, memory)
        return [ByteTable(f, target, memory, count).at(places)]

    (got,) = run(write, place, table, target=target)
    assert got.view(np.uint8).tolist() == table[place].tolist()


def test_how_far_an_instruction_reaches() -> None:
    by_name = {target.name: target for target in isa.TARGETS}
    assert [reach_of(by_name[name]) for name in ("x86_64-v3", "x86_64-v4")] == [16, 16]
    assert reach_of(isa.with_features(by_name["x86_64-v4"], ["avx512vbmi"])) == 64
