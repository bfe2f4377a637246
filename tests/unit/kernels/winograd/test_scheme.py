"""Schemes of tiles: what they are called, and how much they save."""

from __future__ import annotations

import pytest

from sardonyx.kernels.winograd.cook_toom import POINTS
from sardonyx.kernels.winograd.scheme import ALL, ROWS, SQUARES, Scheme


@pytest.mark.parametrize("scheme", ALL, ids=lambda s: s.name)
def test_points_are_those_of_both_axes_and_fewer_than_products(scheme: Scheme) -> None:
    (down, across), (lines, pixels) = scheme.outputs, scheme.taps
    assert scheme.points == (down + lines - 1) * (across + pixels - 1)
    assert scheme.points < scheme.pixels * lines * pixels
    assert {scheme.down.inputs, scheme.across.inputs} <= set(POINTS)
    assert scheme.has_lines == (lines > 1)


def test_names_are_different_and_texts_those_of_the_literature() -> None:
    assert len({scheme.name for scheme in ALL}) == len(ALL)
    assert (SQUARES[4].name, SQUARES[4].text) == ("4x4of3x3", "F(4x4)")
    assert (ROWS[5].name, ROWS[5].text) == ("1x4of1x5", "F(4, 5)")
