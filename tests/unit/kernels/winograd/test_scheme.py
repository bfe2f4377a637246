"""Schemes of tiles: what they are called, and how much they save."""

from __future__ import annotations

import pytest

from sardonyx.base import dtype as dt
from sardonyx.kernels.winograd.cook_toom import POINTS, WHOLE_POINTS
from sardonyx.kernels.winograd.scheme import (
    ALL,
    FIVES,
    LARGEST_SAMPLE,
    ROWS,
    SQUARES,
    STEPPED,
    WHOLE,
    WHOLE_SQUARES,
    Scheme,
    on_registers,
)
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("scheme", ALL, ids=lambda s: s.name)
def test_points_are_those_of_both_axes_and_fewer_than_products(scheme: Scheme) -> None:
    (down, across), (lines, pixels), step = scheme.outputs, scheme.taps, scheme.step
    assert scheme.points == (step * (down - 1) + lines) * (step * (across - 1) + pixels)
    assert scheme.points < scheme.pixels * lines * pixels
    if step == 1:
        assert {scheme.down.inputs, scheme.across.inputs} <= set(WHOLE_POINTS if scheme.is_whole else POINTS)
    assert scheme.has_lines == (lines > 1)


def test_names_are_different_and_texts_those_of_the_literature() -> None:
    assert len({scheme.name for scheme in ALL}) == len(ALL)
    assert (SQUARES[4].name, SQUARES[4].text) == ("4x4of3x3_f32", "F(4x4)")
    assert (FIVES[0].name, FIVES[0].text) == ("2x2of5x5_f32", "F(2x2, 5x5)")
    assert (STEPPED[1].name, STEPPED[1].text) == ("4x4of3x3by2_f32", "F(4x4 by 2)")
    assert (ROWS[5].name, ROWS[5].text) == ("1x4of1x5_f32", "F(4, 5)")
    assert [WHOLE_SQUARES[of][2].name for of in (dt.I16, dt.U8)] == ["2x2of3x3_i16", "2x2of3x3_u8_i16"]


def test_schemes_on_registers_say_what_multiplies() -> None:
    (tile,) = (tile for tile in isa.V4.matrices if tile.name == "bf16x6")
    names = [scheme.name for scheme in on_registers(tile)]
    assert names[1] == "4x4of3x3_bf16x6_f32"
    assert not set(names) & {scheme.name for scheme in ALL}
    assert not any("5x5" in name or "by2" in name for name in names)


def test_names_end_in_what_products_take() -> None:
    assert all(scheme.name.endswith(f"_{scheme.operand}") for scheme in ALL)


@pytest.mark.parametrize("scheme", WHOLE, ids=lambda s: s.name)
def test_transformed_samples_fit_16_bits(scheme: Scheme) -> None:
    rows, columns = (max(sum(map(abs, row)) for row in t.data) for t in (scheme.down, scheme.across))
    assert rows * columns * LARGEST_SAMPLE < 1 << 15
