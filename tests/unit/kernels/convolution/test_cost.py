"""Direct sums on matrix registers gain with channels and outputs, and lose where weights are read."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.convolution.cost import (
    Sizes,
    are_split,
    matrix_cycles,
    run_on,
    samples_are_lines,
    sizes_of,
    vector_cycles,
    weights,
)
from sardonyx.targets.x86_64 import isa

AMX = replace(isa.with_features(isa.V4, isa.V4.matrices[0].features), l2_bytes=2 << 20)
SIX, ONE = (next(t for t in AMX.matrices if t.terms == n and t.operand == "f32") for n in (6, 1))
ONE_TAP = (1, 1)
CACHED, STREAMED = Goal(AMX, streams=False), Goal(AMX, streams=True)

MEASURED = [
    (56, 64, 256, (1, 1), (1, 1), 1.27),
    (56, 256, 64, (1, 1), (1, 1), 1.23),
    (28, 512, 128, (1, 1), (1, 1), 1.56),
    (14, 1024, 256, (1, 1), (1, 1), 1.31),
    (112, 64, 32, (1, 1), (1, 1), 0.89),
    (28, 96, 32, (1, 1), (1, 1), 0.95),
    (28, 128, 128, (3, 3), (1, 1), 1.93),
    (7, 512, 512, (3, 3), (1, 1), 0.75),
    (28, 128, 128, (3, 3), (2, 2), 1.64),
]
"""Pixels of a line, channels, outputs, window, strides, and how many times faster than vectors."""


@pytest.mark.parametrize(("size", "channels", "outputs", "taps", "strides", "times"), MEASURED)
def test_the_model_tells_what_was_measured(
    size: int, channels: int, outputs: int, taps: tuple[int, int], strides: tuple[int, int], times: float
) -> None:
    sizes = Sizes(1, size, size, channels, outputs)
    gain = vector_cycles(sizes, taps, CACHED) / matrix_cycles(sizes, taps, strides, SIX, CACHED)
    assert 0.75 < gain / times < 1.35


def test_one_number_takes_a_sixth_of_the_products_and_half_of_the_weights() -> None:
    sizes = Sizes(1, 1, 64, 4096, 4096)
    six, one = (matrix_cycles(sizes, ONE_TAP, ONE_TAP, tile, CACHED) for tile in (SIX, ONE))
    assert 3 < six / one < 6


def test_samples_share_weights() -> None:
    one, two = (matrix_cycles(Sizes(n, 7, 7, 512, 512), (3, 3), ONE_TAP, SIX, STREAMED) for n in (1, 2))
    assert one < two < 2 * one


def test_short_lines_leave_rows_of_registers_empty() -> None:
    sizes = (Sizes(1, n, 224 // n, 64, 64) for n in (32, 7))
    short, long = (matrix_cycles(each, (3, 3), (2, 2), SIX, CACHED) for each in sizes)
    assert short > 1.5 * long


@pytest.mark.parametrize(("size", "runs"), [(5, True), (7, True), (14, False), (17, True), (28, False)])
def test_lines_run_on_where_they_fill_registers_better(size: int, runs: bool) -> None:
    sizes = Sizes(1, size, size, 64, 64)
    assert run_on(sizes, (3, 3), ONE_TAP, SIX) == runs
    assert not run_on(sizes, (3, 3), (2, 2), SIX)
    assert not run_on(replace(sizes, pixels=33), (3, 3), ONE_TAP, SIX)


@pytest.mark.parametrize(("size", "least", "most"), [(7, 0.7, 1.1), (14, 1.2, 1.6)])
def test_weights_from_memory_leave_small_pictures_to_vectors(size: int, least: float, most: float) -> None:
    channels, outputs = (2048, 512) if size == 7 else (1024, 256)
    sizes = Sizes(1, size, size, channels, outputs)
    gain = vector_cycles(sizes, ONE_TAP, STREAMED) / matrix_cycles(sizes, ONE_TAP, ONE_TAP, SIX, STREAMED)
    assert least < gain < most


def test_weights_whose_parts_fill_a_cache_are_split_in_every_run() -> None:
    small, large = Sizes(1, 14, 14, 256, 512), Sizes(1, 14, 14, 1024, 256)
    assert [are_split(sizes, ONE_TAP, SIX, CACHED) for sizes in (small, large)] == [False, True]
    assert not are_split(large, ONE_TAP, ONE, CACHED)
    assert weights(Sizes(1, 1, 1, 33, 17), (3, 3), SIX) == 64 * 9 * 32


def convolution(batch: Dim, lines: Dim, pixels: Dim, taps: tuple[int, int]) -> Value:
    x = placeholder("x", dt.F32, (batch, 2, 1, 40, 16))
    w = const(np.zeros((48, 32, *taps), np.float32))
    return make("conv_blocked", (x, w), {"dilations": (1, 1)}, dt.F32, (batch, 3, lines, pixels, 16))


def test_samples_of_one_short_line_are_lines() -> None:
    batch = dims.symbol("N")
    assert sizes_of(convolution(5, 1, 14, (1, 8))) == Sizes(1, 5, 14, 32, 48)
    assert sizes_of(convolution(batch, 1, 14, (1, 8))) == Sizes(1, 8, 14, 32, 48)


@pytest.mark.parametrize(
    ("lines", "pixels", "taps"),
    [(2, 14, (1, 8)), (1, 300, (1, 8)), (1, 1, (1, 1)), (1, dims.symbol("W"), (1, 8)), (1, 14, (2, 8))],
)
def test_others_are_not(lines: int, pixels: Dim, taps: tuple[int, int]) -> None:
    assert not samples_are_lines(convolution(5, lines, pixels, taps))
    assert sizes_of(convolution(5, lines, pixels, taps)).batch == 5
