"""The modules that all models share define the contraction kernels, each function in one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.library import (
    Shared,
    contraction,
    library_ir,
    short,
    short_ir,
    strassen,
    strassen_ir,
    winograd,
    winograd_ir,
)
from sardonyx.kernels.scratch import convolution_bytes, product_bytes
from sardonyx.kernels.winograd.scheme import ALL, Scheme
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("operand", ["f32", "f64", "i16"])
def test_every_function_is_defined_in_one_part(operand: str) -> None:
    goal = Goal(targets.detect())
    parts = [shared.of(goal) for shared in contraction(goal.tile(operand)).values()]
    assert parts == list(library_ir(goal, operand))
    defined = [set(re.findall(r"^define .*?@(\w+)\(", text, re.M)) for text in parts]
    assert sum(map(len, defined)) == len(set().union(*defined)) > 20
    symbols = {f"sdx_gemm_{operand}", f"sdx_conv_{operand}"}
    assert symbols <= set().union(*defined)
    assert (f"sdx_gemm_dynamic_{operand}" in set().union(*defined)) == operand.startswith("f")
    longest, shortest = max(map(len, parts)), min(map(len, parts))
    assert longest < 3 * shortest, "they are compiled side by side"


def test_names_tell_tiles_and_parts_apart() -> None:
    for level in isa.TARGETS:
        names = [name for tile in level.tiles for name in contraction(tile)]
        assert len(names) == len(set(names))


def test_what_is_shared_is_made_for_the_level_and_the_features_it_asks_for() -> None:
    tile = next(tile for tile in isa.V4.tiles if tile.features)
    shared = next(iter(contraction(tile).values()))
    assert shared.goal(isa.V4, Policy("strict", winograd="off", short_weights="on")) == Goal(
        isa.with_features(isa.V4, tile.features), Policy("strict")
    )
    assert next(iter(contraction(isa.V4.tiles[0]).values())).goal(isa.V4, Policy()) == Goal(isa.V4)


def test_scratch_grows_with_the_cache() -> None:
    target = targets.detect()
    assert product_bytes(target) > 2 * target.l2_bytes
    assert convolution_bytes() > 0


@pytest.mark.parametrize("scheme", ALL, ids=lambda s: s.name)
def test_transforms_are_a_module_beside_those_of_contractions(scheme: Scheme) -> None:
    goal = Goal(targets.detect())
    text = beside(winograd(scheme), f"sdx_winograd_{scheme.name}", scheme.operand)
    assert text == winograd_ir(scheme, goal)


def test_products_of_sums_are_a_module_beside_those_of_contractions() -> None:
    text = beside(strassen(), "sdx_gemm_strassen_f32")
    assert text == strassen_ir(Goal(targets.detect()))


def test_products_of_short_weights_are_a_module_beside_those_of_contractions() -> None:
    text = beside(short(), "sdx_gemm_short_f32")
    assert text == short_ir(Goal(targets.detect()))


def beside(modules: Mapping[str, Shared], symbol: str, operand: str = "f32") -> str:
    """The text of the only module, which defines a symbol and nothing that those of contractions do."""
    goal = Goal(targets.detect())
    ((name, shared),) = modules.items()
    assert name not in contraction(goal.tile(operand))
    text = shared.of(goal)
    defined = set(re.findall(r"^define .*?@(\w+)\(", text, re.M))
    others = {n for part in library_ir(goal, operand) for n in re.findall(r"^define .*?@(\w+)\(", part, re.M)}
    assert symbol in defined
    assert not defined & others
    assert set(re.findall(r"^declare hidden .*?@(\w+)\(", text, re.M)) <= others
    return text
