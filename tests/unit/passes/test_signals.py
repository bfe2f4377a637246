"""Operations over signals, and what they are over pictures of one line."""

from __future__ import annotations

import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.value import concat, placeholder
from sardonyx.passes.signals import two_dimensional, with_row


def test_the_line_is_padded_cut_and_joined_along_pixels() -> None:
    x = placeholder("x", dt.F32, (2, 3, 8))
    for value in (x.pad((0, 0, 1), (0, 0, 2)), x.slice((0, 0, 2), (2, 3, 5)), concat([x, x], 2), x.exp()):
        flat = two_dimensional(value)
        assert flat is not None
        assert flat.prim == value.prim
        assert flat.shape == (2, 3, 1, *value.shape[2:])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1, 8)])
def test_what_is_no_signal_stays(shape: tuple[int, ...]) -> None:
    assert two_dimensional(placeholder("x", dt.F32, shape).exp()) is None


def test_known_operands_are_taken() -> None:
    x = placeholder("x", dt.F32, (2, 3, 8))
    row = with_row(x).exp()
    flat = two_dimensional(x.exp(), {x.id: row})
    assert flat is not None
    assert flat.args == (row,)
