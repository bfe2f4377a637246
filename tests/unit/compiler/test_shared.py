"""What a wheel brings along: all that every program runs by, and the kernels that models share."""

from __future__ import annotations

import sys

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Policy
from sardonyx.base.target import Target
from sardonyx.compiler.build import ALWAYS
from sardonyx.compiler.shared import shared_modules
from sardonyx.kernels.convolution.grouped import Few
from sardonyx.kernels.library import grouped, matrix_blockwise, points
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_shared_modules_have_the_executor_and_kernels(target: Target) -> None:
    names = shared_modules(target).keys()
    assert {f"executor {sys.platform}", f"shortcut {sys.platform}"} == ALWAYS.keys() <= names
    assert any(name.startswith("contraction f32") for name in names)
    assert {"winograd 2x2of3x3_f32", "winograd 4x4of3x3_i16", "strassen", "short", "attention"} <= names
    assert ({"attention bf16", "attention bf16x6", "short amx-tile"} <= names) == bool(target.matrices)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_shared_modules_serve_cpus_with_any_caches(target: Target) -> None:
    """The size of a cache is a word of a call: code that knows another lays data out beyond its scratch."""
    modules = {**shared_modules(target), **grouped(Few(4, 3, 1))}
    modules |= points(4, next(tile for tile in target.tiles if tile.operand == "i8"))
    for tile in target.matrices[:1]:
        modules |= matrix_blockwise(4, tile)
    for name, module in modules.items():
        goal = module.goal(target, Policy("fp32"))
        other = replace(goal, target=replace(goal.target, l1_bytes=7 << 10, l2_bytes=3 << 10))
        assert module.of(goal) == module.of(other), name
