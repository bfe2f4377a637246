"""Convolutions of small integers against exact sums, on guarded memory: equal, whatever fills idle lanes."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.pack import conv_steps, pack_conv_weights
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.convolution.test_conv import CASES as CONVOLUTIONS
from tests.unit.kernels.convolution.test_conv import Case, new_output, output_words, unblocked
from tests.unit.kernels.native import Array, guarded, integer_cases, most_weight, run, strides

OUTLIERS = pytest.param(isa.V3, "outliers_i8pairs", id="x86_64-v3-any-weights")
CASES = pytest.mark.parametrize(("target", "operand"), [*integer_cases(), OUTLIERS])
ONE_GROUP = "u8s8_i8", "outliers_i8pairs"
IDLE = 99
"""What lies in lanes of a block without a channel."""


def blocked(x: Array, pad: int) -> Array:
    """x[N, C, H, W] in 16-channel blocks with a halo of zeros."""
    n, c, h, w = x.shape
    whole = np.full((n, -(-c // 16) * 16, h + 2 * pad, w + 2 * pad), IDLE, x.dtype)
    whole[:, :c] = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    return np.ascontiguousarray(whole.reshape(n, -(-c // 16), 16, *whole.shape[2:]).transpose(0, 1, 3, 4, 2))


def pack_outliers(w: Array, group: int, goal: Goal) -> Array:
    """Weights of one group for kernels that take any."""
    return pack_unsigned(conv_steps(w, group, goal), goal)


def check(rng: np.random.Generator, case: Case, target: Target, operand: str, threads: int) -> None:
    per = case.channels // case.group
    left, right = ("int16", "int16") if operand == "i16" else ("uint8", "int8")
    bounds = (-255, 256) if operand == "i16" else (0, 256)
    x = rng.integers(*bounds, (case.images, case.channels, *case.size)).astype(left)
    if operand == "outliers_i8pairs" and rng.integers(4):
        x = np.where(rng.integers(0, 50, x.shape), x // 4 + 90, x)
    most = most_weight(target, operand)
    w = rng.integers(-most, min(most + 1, 128), (case.outputs, per, *case.kernel)).astype(right)
    data = guarded(blocked(x, case.pad))
    pack = pack_outliers if operand == "outliers_i8pairs" else pack_conv_weights
    weights = guarded(pack(w, case.group, Goal(target)), align=64)
    totals = guarded(column_totals(conv_steps(w, 1, Goal(isa.V3)), Goal(isa.V3)), align=64)
    y = guarded(new_output(case, "int32", "blocked", 77))
    at, (lines, pixels) = strides(data), case.extent
    words = {Conv.X: data.ctypes.data, Conv.W: weights.ctypes.data, Conv.Y: y.ctypes.data}
    words |= {Conv.TOTALS: totals.ctypes.data}
    words |= {Conv.BATCH: case.images, Conv.GROUPS: case.group, Conv.LINES: lines, Conv.PIXELS: pixels}
    words |= {Conv.CHANNELS_IN: per, Conv.CHANNELS: case.outputs // case.group}
    words |= {Conv.GROUP_PITCH: case.outputs // case.group}
    words |= {Conv.TAPS1: 1, Conv.TAPS2: case.kernel[0], Conv.TAPS3: case.kernel[1]}
    words |= {Conv.X_BATCH: at[0], Conv.X_CHANNEL: at[1], Conv.X_LINE: case.stride[0] * at[2]}
    words |= {Conv.X_PIXEL: case.stride[1] * at[3], Conv.X_TAP2: case.dilation[0] * at[2]}
    words |= {Conv.X_TAP3: case.dilation[1] * at[3]} | output_words(y, "blocked", "Y")
    run("sdx_conv", target, operand, words, Conv.EPILOGUE_WORDS, threads)
    result = unblocked(y, case.outputs)
    assert (result[:, :, lines:] == 77).all(), "lines beyond Y were written"
    assert (result[..., pixels:] == 77).all(), "pixels beyond Y were written"
    # Sums stay far below 2**53, up to which float64 is exact.
    assert np.array_equal(result[:, :, :lines, :pixels], case.exact(x, w).astype(np.int32))


@CASES
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_dense_and_grouped_convolutions(
    target: Target, operand: str, threads: int, rng: np.random.Generator
) -> None:
    for case in CONVOLUTIONS:
        if case.group == 1 or (case.channels // case.group % 4 == 0 and operand not in ONE_GROUP):
            check(rng, case, target, operand, threads)


@CASES
def test_drawn_convolutions(target: Target, operand: str, rng: np.random.Generator) -> None:
    for _ in range(25):
        group = int(rng.choice([1, 1, 2, 3] if operand not in ONE_GROUP else [1]))
        channels = 4 * group * int(rng.integers(1, 12)) if group > 1 else int(rng.integers(1, 70))
        case = Case(
            channels,
            group * int(rng.integers(1, 40)),
            size=(int(rng.integers(3, 12)), int(rng.integers(3, 40))),
            kernel=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
            stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
            pad=int(rng.integers(0, 2)),
            group=group,
            images=int(rng.integers(1, 3)),
        )
        check(rng, case, target, operand, int(rng.integers(1, 3)))
