"""Both ends of the ranges of rows against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.ir.value import Value, make
from sardonyx.kernels.select.ends import ends_ir
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.unit.kernels.compiled import Array, graph_of, natives, reference
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def check(x: Array, target: Target, axis: int) -> None:
    """The native ends are numpy's, on one thread and on two."""

    def build(v: Value) -> list[Value]:
        return [make("ends", (v,), {"axis": axis}, v.dtype, (*v.shape[:axis], 2))]

    (expected,) = reference(build, [x])
    for (got,) in natives(graph_of(build, [x]), target, [guarded(x)], (1, 2)):
        np.testing.assert_array_equal(got, expected)


@TARGETS
@pytest.mark.parametrize("size", [1, 7, 8, 15, 16, 17, 31, 64, 65, 127, 128, 200, 1000])
def test_rows_of_any_size(target: Target, size: int, rng: np.random.Generator) -> None:
    check(rng.standard_normal((9, size)).astype(np.float32), target, 1)


@TARGETS
@pytest.mark.parametrize("sign", [1, -1])
def test_ranges_on_one_side_of_zero(target: Target, sign: int, rng: np.random.Generator) -> None:
    check(sign * (1 + rng.random((3, 70), np.float32)), target, 1)


@TARGETS
@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5, 40), 1), ((4, 5, 40), 2), ((300,), 0), ((0, 8), 1), ((3, 0), 1)]
)
def test_axes_behind_are_one_row(
    target: Target, shape: tuple[int, ...], axis: int, rng: np.random.Generator
) -> None:
    check(rng.standard_normal(shape).astype(np.float32), target, axis)


@TARGETS
def test_many_numbers_on_threads(target: Target, rng: np.random.Generator) -> None:
    check(rng.standard_normal((131, 512)).astype(np.float32), target, 1)


@TARGETS
@pytest.mark.parametrize("size", [5, 64, 203])
@pytest.mark.parametrize(
    "values", [[np.nan], [np.inf], [-np.inf], [np.inf, -np.inf], [np.inf, np.nan], [-0.0]], ids=str
)
def test_what_is_no_number_wins_in_its_row(
    target: Target, size: int, values: list[float], rng: np.random.Generator
) -> None:
    for at in {0, size // 2, size - len(values)}:
        x = rng.standard_normal((3, size)).astype(np.float32)
        x[1, at : at + len(values)] = values
        check(x, target, 1)


def test_numbers_are_loaded_once_but_for_those_of_rows_that_have_one_that_is_none() -> None:
    text = ends_ir(isa.V4)
    assert text.count("load <16 x float>") == 4
    assert text.count("load float") == 1
