"""What a wheel brings along: all that every program runs by, and the kernels that models share."""

from __future__ import annotations

import inspect
import sys

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import PRECISIONS
from sardonyx.base.policy import Policy
from sardonyx.base.target import Target
from sardonyx.compiler import shared
from sardonyx.compiler.build import ALWAYS
from sardonyx.compiler.shared import shared_modules
from sardonyx.kernels import library
from sardonyx.kernels.convolution.grouped import Few
from sardonyx.kernels.library import grouped, matrix_blockwise, points
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_shared_modules_have_the_executor_and_kernels(target: Target) -> None:
    names = shared_modules(target, "fp32").keys()
    assert {f"executor {sys.platform}", f"shortcut {sys.platform}"} == ALWAYS.keys() <= names
    assert any(name.startswith("contraction f32") for name in names)
    assert {"winograd 2x2of3x3_f32", "winograd 4x4of3x3_i16", "strassen", "short", "attention"} <= names
    assert {"windowed", "beside 2", f"beside {target.lanes}"} <= names
    digits = {"digits fixed24 s8x6", *(f"{p}matrix convolutions fixed24 s8x6" for p in ("", "plain "))}
    assert ({"attention bf16x6", "short amx-tile", *digits} <= names) == bool(target.matrices)
    assert ("outliers conv" in names) == any(tile.operand == "i8pairs" for tile in target.tiles)


def test_shared_modules_of_a_precision_are_those_that_it_allows() -> None:
    fp32, strict, bf16 = (shared_modules(isa.V4, precision).keys() for precision in PRECISIONS)
    assert {"attention bf16", "halves matrix convolutions f32 bf16", "contraction bf16 avx512bf16 0"} <= bf16
    assert not (fp32 & bf16) & {"attention bf16", "attention bf16x6", "digits fixed24 s8x6"}
    assert not any("f32 bf16" in name or "fixed24" in name for name in strict)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_shared_modules_serve_cpus_with_any_caches(target: Target) -> None:
    """The size of a cache is a word of a call: code that knows another lays data out beyond its scratch."""
    modules = {**shared_modules(target, "fp32"), **grouped(Few(4, 3, 1))}
    modules |= points(4, next(tile for tile in target.tiles if tile.operand == "i8"))
    for tile in target.matrices[:1]:
        modules |= matrix_blockwise(4, tile)
    for name, module in modules.items():
        goal = module.goal(target, Policy("fp32"))
        other = replace(goal, target=replace(goal.target, l1_bytes=7 << 10, l2_bytes=3 << 10))
        assert module.of(goal) == module.of(other), name


OF_FEW = {"grouped", "single", "blockwise", "matrix_blockwise", "points"}
"""Modules that few models need, of which there are many: each is compiled for the first one."""
OF_OTHERS = {"outliers", "turning"}
"""Those that come along with others."""


def test_each_module_of_the_library_is_shipped_or_known_to_serve_few_models() -> None:
    given = {
        name
        for name, made in vars(library).items()
        if inspect.isfunction(made) and made.__annotations__.get("return") == "Mapping[str, Shared]"
    }
    assert {name for name in given if not hasattr(shared, name)} == OF_FEW | OF_OTHERS
