"""Matrix registers serve dense convolutions of blocked input with channels enough, where they are faster."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.convolution.choose import band_bytes, chosen
from sardonyx.targets.x86_64 import isa

AMX = isa.with_features(isa.V4, isa.V4.matrices[0].features)


def convolution(shape: tuple[int, int, int, int], number: float = 0.3, **attributes: object) -> Value:
    """A convolution of blocked samples with these weights."""
    outputs, channels, *_ = shape
    at = {"strides": (1, 1), "dilations": (1, 1), "group": 1, **attributes}
    x = placeholder("x", dt.F32, (1, -(-channels * at["group"] // 16), 20, 20, 16))  # type: ignore[operator]
    return make(
        "conv_blocked",
        (x, const(np.full(shape, number, np.float32))),
        at,
        dt.F32,
        (1, -(-outputs // 16), 18, 18, 16),
    )


@pytest.mark.parametrize(
    ("shape", "attributes", "precision", "name"),
    [
        ((256, 256, 3, 3), {}, "fp32", "bf16x6"),
        ((256, 256, 1, 1), {}, "fp32", "bf16x6"),
        ((32, 32, 1, 1), {}, "fp32", None),
        ((256, 256, 1, 1), {"runs": ((0, 16), (17, 240))}, "fp32", None),
        ((256, 256, 3, 3), {}, "bf16", "bf16"),
        ((256, 256, 3, 3), {}, "strict", None),
        ((64, 64, 3, 3), {}, "bf16", "bf16"),
        ((64, 64, 1, 1), {}, "bf16", "bf16"),
        ((64, 16, 1, 1), {}, "bf16", "bf16"),
        ((32, 16, 1, 1), {}, "bf16", None),
        ((16, 64, 1, 1), {}, "bf16", "bf16"),
        ((64, 15, 1, 1), {}, "bf16", None),
        ((3, 8, 3, 3), {}, "bf16", "bf16"),
        ((64, 7, 3, 3), {}, "bf16", None),
        ((64, 32, 3, 3), {"group": 2}, "bf16", "bf16"),
        ((64, 40, 3, 3), {"group": 2}, "bf16", None),
        ((64, 64, 3, 3), {"dilations": (2, 1)}, "bf16", None),
        ((64, 64, 3, 3), {"dilations": (1, 2)}, "bf16", "bf16"),
    ],
)
def test_choice(
    shape: tuple[int, int, int, int], attributes: dict[str, object], precision: str, name: str | None
) -> None:
    tile = chosen(convolution(shape, **attributes), Goal(AMX, Policy(precision)))
    assert (tile.name if tile else None) == name


def test_whole_numbers_and_infinite_weights_are_left_to_vectors() -> None:
    for number in (2.0, np.inf):
        assert chosen(convolution((64, 64, 1, 1), number), Goal(AMX, Policy("bf16"))) is None
    assert chosen(convolution((64, 64, 1, 1)), Goal(isa.V4, Policy("bf16"))) is None


def test_the_band_of_a_tile_fits_half_of_the_room() -> None:
    value, goal = convolution((64, 64, 3, 3)), Goal(AMX, Policy("bf16"))
    pixels = (1 + 3) * (32 + 2) + 32
    needed = 2 * (pixels * 64 + 64)
    assert [
        chosen(value, replace(goal, target=replace(AMX, l2_bytes=n))) is not None
        for n in (-(-needed * 2 // 3), needed * 2 // 3 - 1)
    ] == [True, False]
    assert band_bytes(AMX) == 3 * AMX.l2_bytes


def test_transforms_that_are_asked_for_are_done() -> None:
    assert chosen(convolution((256, 256, 3, 3)), Goal(AMX, Policy("bf16", "f4"))) is None


def test_lines_of_one_pixel_are_left_to_transforms_along_them() -> None:
    for (lines, pixels), taps, serves in (((20, 1), (5, 1), False), ((1, 20), (1, 5), True)):
        x = placeholder("x", dt.F32, (1, 16, lines + taps[0] - 1, pixels + taps[1] - 1, 16))
        w = const(np.full((256, 256, *taps), 0.3, np.float32))
        at = {"strides": (1, 1), "dilations": (1, 1), "group": 1}
        value = make("conv_blocked", (x, w), at, dt.F32, (1, 16, lines, pixels, 16))
        assert (chosen(value, Goal(AMX, Policy("bf16"))) is not None) == serves


@pytest.mark.parametrize(
    ("shape", "lines", "name"),
    [((256, 256, 3, 3), 20, "s8x6"), ((256, 256, 1, 1), 20, "s8x6"), ((256, 256, 1, 7), 1, "bf16x6")],
)
def test_images_have_digits_but_not_signals(shape: tuple[int, int, int, int], lines: int, name: str) -> None:
    both = isa.with_features(isa.V4, {name for tile in isa.V4.matrices for name in tile.features})
    x = placeholder("x", dt.F32, (1, 16, lines, 200, 16))
    w = const(np.full(shape, 0.3, np.float32))
    at = {"strides": (1, 1), "dilations": (1, 1), "group": 1}
    after = 1, 16, lines - shape[2] + 1, 200 - shape[3] + 1, 16
    tile = chosen(make("conv_blocked", (x, w), at, dt.F32, after), Goal(both))
    assert tile is not None
    assert tile.name == name
