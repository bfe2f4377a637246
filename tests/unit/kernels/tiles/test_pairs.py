"""Floats are cut into numbers that hold all of them, and two vectors go side by side."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.pairs import Pairs, in_pairs
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled
from tests.unit.llvm.registers import widened

(SHAPE,) = (MatrixShape(tile) for tile in isa.V4.matrices if tile.name == "bf16x6")


def split(x: Array, *, careful: bool) -> tuple[Array, bool]:
    """The planes of x[2, 16] as floats, [plane, 16, 2], and whether something was met."""

    def write(module: Module) -> str:
        f = Function(module, "split", [("to", "ptr"), ("from", "ptr")], "i64", internal=True)
        to, source = f.params
        pairs = Pairs(f, SHAPE, careful=careful)
        both = tuple(f.load(f.gep(source, int_(n * 64), "i8"), vector_of("float", 16)) for n in range(2))
        f.ret(pairs.is_special(pairs.store((both[0], both[1]), to, int_(64), pairs.nothing())))
        f.finish()
        return "split"

    made = Modelled(write)
    to = guarded(np.zeros((len(SHAPE.held), 32), np.uint16))
    special = made.call(made.names, to, guarded(x), result=True)
    return widened(to).reshape(-1, 16, 2), bool(special)


@pytest.mark.parametrize("careful", [False, True])
def test_parts_hold_all_of_a_float(careful: bool, rng: np.random.Generator) -> None:
    x = (rng.standard_normal((2, 16)) * 10.0 ** rng.integers(-20, 20, (2, 16))).astype(np.float32)
    x[0, 0] = np.finfo(np.float32).max
    planes, special = split(x, careful=careful)
    assert not special
    assert np.array_equal(planes[: SHAPE.planes].astype(np.float64).sum(0).T, x)


def test_what_is_not_finite_has_no_low_parts() -> None:
    x = np.ones((2, 16), np.float32)
    x[0, 3], x[1, 5], x[1, 6] = np.inf, -np.inf, np.nan
    planes, special = split(x, careful=True)
    assert special
    high, *low, finite = planes
    assert np.array_equal(high.T, x, equal_nan=True)
    assert not any(part.any() for part in low)
    assert np.array_equal(finite.T, np.where(np.isfinite(x), x, 0))


def test_halves_of_a_step_in_turn() -> None:
    steps = np.arange(64.0)[:, None]
    found = in_pairs(steps, 32)[:, 0]
    assert list(found[:4]) == [0, 16, 1, 17]
    assert list(found[32:36]) == [32, 48, 33, 49]
