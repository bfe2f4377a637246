"""Numbers as argument words."""

from __future__ import annotations

import struct

import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.abi import Bits, number_bits


@pytest.mark.parametrize("number", [0.1, -1.5, 1e30, float("inf")])
def test_a_float_stands_in_the_first_bytes_of_its_word(number: float) -> None:
    for dtype, form in ((dt.F32, "<f"), (dt.F64, "<d")):
        word = number_bits(number, dtype)
        assert isinstance(word, Bits)
        assert struct.pack("<q", word).startswith(struct.pack(form, number))


def test_integers_without_bounds_are_bounded_by_their_type() -> None:
    assert number_bits(-float("inf"), dt.I32) == -(2**31)
    assert number_bits(float("inf"), dt.I8) == 127
    assert number_bits(3, dt.I32) == 3
