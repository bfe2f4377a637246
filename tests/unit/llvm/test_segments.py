"""Each lane has the polynomial of its own segment, up to the middle of the last one."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.segments import has_segments, in_segments
from sardonyx.llvm.vec import Function, V, int_
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.llvm.written import run

POWERS = np.random.default_rng(0).integers(-8, 8, (3, 16)).astype(np.float32)
WIDTH = 0.25


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_each_lane_has_the_polynomial_of_its_segment(lanes: int) -> None:
    target = need(isa.V4)
    x = np.random.default_rng(lanes).integers(0, 256, lanes).astype(np.float32) / 64 + np.float32(1 / 128)
    x[[0, -1]] = 0.0, 1e30
    powers = [row.tolist() for row in POWERS]

    def write(f: Function, value: V) -> list[V]:
        return [part.v for part in in_segments(Lanes(f, value), powers, WIDTH, target)]

    near, got = run(write, x, target=target)
    expected = np.minimum(x, np.float32(15 * WIDTH))
    segment = np.rint(expected / WIDTH).astype(int)
    rest = expected - segment * np.float32(WIDTH)
    assert near.tolist() == expected.tolist()
    assert got.tolist() == sum(POWERS[k][segment] * rest**k for k in range(3)).tolist()


@pytest.mark.parametrize(
    ("target", "lanes", "has"), [(isa.V4, 32, True), (isa.V4, 8, False), (isa.V3, 16, False)]
)
def test_whole_registers_of_16_floats_have_segments(target: Target, lanes: int, has: bool) -> None:
    found: list[bool] = []

    def write(f: Function, value: V) -> list[V]:
        found.append(has_segments(Lanes(f, value), target))
        whole = f.convert("fptosi", value, "i32")
        assert not has_segments(Lanes(f, f.add(whole, int_(0, whole.type))), target)
        return [value]

    run(write, np.zeros(lanes, np.float32), target=need(isa.V3))
    assert found == [has]
