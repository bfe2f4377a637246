"""The modules that all models share define the contraction kernels, each function in one of them."""

from __future__ import annotations

import re

import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.library import contraction, library_ir
from sardonyx.kernels.scratch import convolution_bytes, product_bytes


@pytest.mark.parametrize(("suffix", "dtype"), [("f32", "float"), ("f64", "double")])
def test_every_function_is_defined_in_one_part(suffix: str, dtype: str) -> None:
    goal = Goal(targets.detect())
    parts = [shared.of(goal) for shared in contraction(suffix).values()]
    assert parts == list(library_ir(goal, dtype))
    defined = [set(re.findall(r"^define .*?@(\w+)\(", text, re.M)) for text in parts]
    assert sum(map(len, defined)) == len(set().union(*defined)) > 20
    assert {f"sdx_gemm_{suffix}", f"sdx_gemm_dynamic_{suffix}", f"sdx_conv_{suffix}"} <= set().union(*defined)
    longest, shortest = max(map(len, parts)), min(map(len, parts))
    assert longest < 3 * shortest, "they are compiled side by side"


def test_names_tell_types_and_parts_apart() -> None:
    names = [*contraction("f32"), *contraction("f64")]
    assert len(names) == len(set(names))


def test_scratch_grows_with_the_cache() -> None:
    target = targets.detect()
    assert product_bytes(target) > 2 * target.l2_bytes
    assert convolution_bytes() > 0
