"""Numbers of 24 bits are read as the floats whose upper three bytes they are, whatever these mean."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.tiles.short import SPARE_BYTES, widened
from sardonyx.llvm.vec import Function, Module
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.unit.kernels.native import guarded
from tests.unit.objects import assembled, compiled_alone, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 3.4e38, -1e-41, 1.5, -2.75]


def reader(lanes: int) -> str:
    module = Module()
    f = Function(module, "read", [("to", "ptr"), ("at", "ptr")])
    to, at = f.params
    f.store(widened(f, at, lanes), to)
    f.ret()
    f.finish()
    return module.text()


@TARGETS
@pytest.mark.parametrize("at", range(0, 24, 4))
def test_upper_bytes_are_floats(target: Target, at: int) -> None:
    lanes = target.lanes
    image = loaded([compiled_alone(reader(lanes), target)], target)
    read = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(image.address("read"))
    rng = np.random.default_rng(at)
    drawn = rng.integers(0, 1 << 24, 4 * lanes, np.uint32) << np.uint32(8)
    drawn[: len(SPECIAL)] = np.array(SPECIAL, np.float32).view(np.uint32) & np.uint32(0xFFFFFF00)
    for bits in np.split(drawn, 4):
        short = bits.view(np.uint8).reshape(lanes, 4)[:, 1:].reshape(-1)
        memory = guarded(
            np.concatenate([np.full(at, 0xFF, np.uint8), short, np.zeros(SPARE_BYTES, np.uint8)])
        )
        found = np.full(lanes, np.nan, np.float32)
        read(found.ctypes.data, memory.ctypes.data + at)
        assert np.array_equal(found.view(np.uint32), bits)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
def test_a_vector_takes_two_instructions_beside_its_loads(target: Target) -> None:
    lines = [line.split()[0] for line in assembled(reader(target.lanes), target).splitlines() if "mm" in line]
    moved = [name for name in lines if name.startswith("vp")]
    assert len(moved) <= 2, moved
    assert sum(name.startswith("vinsert") for name in lines) <= (target.lanes == 8)
