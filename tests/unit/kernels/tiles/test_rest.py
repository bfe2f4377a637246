"""What is left of k behind whole registers is multiplied with a copy of B that ends in zeros."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.rest import Rest
from sardonyx.llvm.vec import Function, Module
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made

(TILE,) = (row for row in isa.V4.matrices if row.operand == "i8")


def define(module: Module) -> str:
    """Add `void @copied(ptr b, ptr panel, i64 steps, i64 width)`."""
    params = [("b", "ptr"), ("panel", "ptr"), ("steps", "i64"), ("width", "i64")]
    f = Function(module, "copied", params)
    b, panel, steps, width = f.params
    Rest.of(f, MatrixShape(TILE), steps, b, {}, b).copy(f, panel, width)
    f.ret()
    f.finish()
    return "copied"


@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize("steps", [1, 15, 16, 17, 40])
def test_the_copy_ends_in_zeros(steps: int, width: int, rng: np.random.Generator) -> None:
    made = Made(define)
    panel = guarded(rng.integers(-99, 99, (steps, width), np.int32), align=64)
    b = guarded(np.full((16, 32), 7, np.int32), align=64)
    made.call("copied", b, panel, steps, width)
    left = steps % 16
    if not left:
        assert (b == 7).all()
        return
    found = b.ravel()[: 16 * width].reshape(16, width)
    assert np.array_equal(found[:left], panel[steps - left :])
    assert not found[left:].any()
