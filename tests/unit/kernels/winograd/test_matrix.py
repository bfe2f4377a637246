"""Convolutions by transforms on matrix registers, by the machine or by a model of its registers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.library import digits_ir, winograd_ir
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.driver import define_winograd
from sardonyx.kernels.winograd.matrix import define_matrix_block
from sardonyx.kernels.winograd.scheme import Scheme, on_registers
from sardonyx.llvm.vec import Module
from sardonyx.object import engine, executor
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.convolution.test_conv import Case
from tests.unit.kernels.winograd.test_winograd import CASES, Drawn, check, under
from tests.unit.llvm.registers import modelled
from tests.unit.objects import compiled, compiled_alone, contractions, loaded

(TILE,) = (tile for tile in isa.V4.matrices if tile.name == "s8x6")
REGISTERS = isa.with_features(isa.V4, TILE.features)
SCHEMES = pytest.mark.parametrize("scheme", on_registers(TILE), ids=lambda s: s.name)
ENDS = pytest.mark.parametrize("end", ["store", "finish", "epilogue"])
_models: list[Any] = []

FEW = (Case(5, 20, (7, 9), pad=1), Case(40, 33, (6, 11), pad=1))
"""A model takes some milliseconds for an instruction."""


@cache
def image(scheme: Scheme, how: str) -> LoadedImage:
    """The kernels, executed by this machine or, but for matrix registers, by a model."""
    if how == "machine":
        goal = Goal(need(REGISTERS))
        code = [*contractions(goal), compiled(digits_ir(TILE, goal), goal.target)]
        return loaded([*code, compiled_alone(winograd_ir(scheme, goal), goal.target)], goal.target)
    goal, module = Goal(need(isa.V4)), Module()
    define_winograd(module, Goal(REGISTERS), scheme)
    own = engine.compile_object(modelled(module.text(), _models), goal.target)
    return loaded([compiled(executor.ir(goal.target), goal.target), own], goal.target)


def drawn(case: Case, scheme: Scheme, how: str) -> Drawn:
    """One convolution, whose weights are laid out for registers."""
    made = Drawn(under(scheme, case), scheme)
    made.kernels = lambda target: image(scheme, how)
    return made


@SCHEMES
@ENDS
def test_convolutions(scheme: Scheme, end: str) -> None:
    for case in CASES:
        check(drawn(case, scheme, "machine"), need(REGISTERS), end)


@SCHEMES
@pytest.mark.parametrize("case", FEW, ids=str)
def test_convolutions_by_a_model_of_the_registers(scheme: Scheme, case: Case) -> None:
    check(drawn(case, scheme, "model"), need(isa.V4), "finish")


@SCHEMES
def test_the_model_of_the_registers_gives_the_bits_of_the_machine(scheme: Scheme) -> None:
    need(REGISTERS)
    of_model, of_machine = (drawn(FEW[0], scheme, how) for how in ("model", "machine"))
    assert np.array_equal(of_model.run(REGISTERS), of_machine.run(REGISTERS))


@SCHEMES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_tiles(scheme: Scheme, value: float) -> None:
    target, made = need(REGISTERS), drawn(Case(20, 40, (15, 17), pad=1), scheme, "machine")
    clean = made.run(target)
    made.x[0, 19, 4, 5] = value
    got = made.run(target)
    high, wide = scheme.outputs
    i, j = np.indices(got.shape[2:])
    down = (i >= 4 + 2 - scheme.taps[0]) & (i < 4 + 2)
    across = (j >= 5 + 2 - scheme.taps[1]) & (j < 5 + 2)
    reads = down & across
    assert np.isnan(got[:, :, reads]).all()
    tiles = i // high * got.shape[3] + j // wide
    touched = np.isin(tiles, tiles[reads])
    assert np.array_equal(got[:, :, ~touched], clean[:, :, ~touched])
    assert (np.isnan(got) | (got == clean)).all(), "no limit makes a wrong number of it"


@SCHEMES
def test_threads_and_place_in_a_batch_do_not_change_bits(scheme: Scheme) -> None:
    target = replace(need(REGISTERS), l2_bytes=64 << 10)
    for case in (Case(20, 40, (9, 30), pad=1, images=3), Case(40, 150, (4, 4), pad=1, images=2)):
        made = drawn(case, scheme, "machine")
        whole = made.run(target)
        for threads in (2, 3, 7):
            assert np.array_equal(made.run(target, threads=threads), whole)
        alone = drawn(replace(case, images=1), scheme, "machine")
        alone.x, alone.w = made.x[1:2], made.w
        assert np.array_equal(alone.run(target), whole[1:2])


@SCHEMES
def test_numbers_of_any_size(scheme: Scheme) -> None:
    """The largest are cut, not rounded up to infinity."""
    target, made = need(REGISTERS), drawn(Case(33, 20, (9, 11), pad=1), scheme, "machine")
    made.x *= np.float32(1e30)
    made.w *= np.float32(1e-3)
    check(made, target, "store")


@SCHEMES
def test_the_text_depends_on_the_level_alone(scheme: Scheme) -> None:
    goal = Goal(REGISTERS)
    for make in (winograd_ir, digits_ir):
        of: Any = scheme if make is winograd_ir else TILE
        text = make(of, goal)
        make.cache_clear()
        assert make(of, Goal(replace(goal.target, l2_bytes=1 << 18))) == text
        assert compiled_alone(text, goal.target)


@SCHEMES
def test_a_thread_calls_the_walk_for_its_share(scheme: Scheme) -> None:
    goal, module, alone = Goal(REGISTERS), Module(), Module()
    define_winograd(module, goal, scheme)
    walk = define_matrix_block(alone, TileShape.of(goal, scheme.operand), scheme)
    assert f"call void @{walk}(" in module.part(f"sdx_winograd_{scheme.name}")
    assert module.part(walk) == alone.part(walk)
