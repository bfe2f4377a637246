"""The functions inside sizes are those of Python's whole numbers, and sizes that contradict are refused."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.base import functions

NUMBERS = st.integers(-(2**40), 2**40)


@given(NUMBERS, NUMBERS.filter(bool))
def test_quotients(a: int, b: int) -> None:
    assert functions.FUNCTIONS["floordiv"](a, b) == math.floor(a / b) if abs(a) < 2**20 else True
    assert functions.truncdiv(a, b) * b + int(math.fmod(a, b)) == a


@given(st.integers(0, 5), st.integers(0, 5))
def test_broadcasts_as_numpy_does(a: int, b: int) -> None:
    try:
        expected = np.broadcast_shapes((a,), (b,))[0]
    except ValueError:
        with pytest.raises(ValueError, match="do not broadcast"):
            functions.broadcast(a, b)
    else:
        assert functions.broadcast(a, b) == expected


def test_a_repeated_axis_has_no_stride() -> None:
    assert functions.broadcast_stride(1, 5, 7) == 0
    assert functions.broadcast_stride(5, 5, 7) == 7
    with pytest.raises(ValueError, match="sizes 3 and 5"):
        functions.broadcast_stride(3, 5, 7)


@given(st.integers(0, 10_000), st.floats(0, 100))
def test_scaled_sizes_round_as_single_precision_does(size: int, scale: float) -> None:
    (bits,) = struct.unpack("<q", struct.pack("<d", scale))
    assert functions.scaled(size, bits) == int(np.float32(scale * size))


def test_choices() -> None:
    where, less, equal = (functions.FUNCTIONS[name] for name in ("where", "less", "equal"))
    assert [where(c, 1, 2) for c in (0, 1, -1)] == [2, 1, 1]
    assert [less(a, 3) for a in (2, 3)] == [1, 0]
    assert [equal(a, 3) for a in (2, 3)] == [0, 1]
