"""Tensors become bytes and come back; what does not fit is refused before it is read."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.protocol import datatypes
from sardonyx.protocol.datatypes import (
    DATATYPES,
    datatype,
    element_count,
    from_raw,
    objects,
    pack_bytes,
    to_raw,
)
from sardonyx.protocol.errors import ServeError

BYTES = DATATYPES["BYTES"]


@pytest.mark.parametrize("name", [name for name in DATATYPES if name != "BYTES"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_numbers(name: str, shape: tuple[int, ...]) -> None:
    kind = DATATYPES[name]
    array = np.arange(element_count(shape)).reshape(shape).astype(kind.numpy)
    raw = bytes(to_raw(array))
    assert len(raw) == array.size * kind.size
    got = from_raw("x", kind, shape, raw)
    assert (got.dtype, got.shape, got.tolist()) == (kind.numpy, shape, array.tolist())
    with pytest.raises(ServeError, match="unexpected size for input 'x'"):
        from_raw("x", kind, shape, raw + b"\0")


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_texts(items: list[bytes]) -> None:
    raw = pack_bytes(objects(items))
    assert raw == b"".join(struct.pack("<I", len(item)) + item for item in items)
    assert from_raw("x", BYTES, (len(items),), raw).tolist() == items


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\1\0\0\0", "claims 1 bytes; 0 are left"),
        (b"\1\0\0", "more bytes"),
        (b"", "unexpected number of string elements 0"),
        (b"\0\0\0\0" * 2, "more bytes"),
        (b"\xff\xff\xff\xff", "claims 4294967295"),
    ],
)
def test_damaged_texts_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        from_raw("x", BYTES, (1,), raw)


def test_truths_are_zero_or_one_whatever_came() -> None:
    got: Any = from_raw("x", DATATYPES["BOOL"], (3,), b"\0\1\7")
    assert got.view(np.uint8).tolist() == [0, 1, 1]


def test_large_tensors_are_views_and_odd_ones_lie_well() -> None:
    raw = bytearray(datatypes._SMALL * 4 + 4)
    kind = DATATYPES["FP32"]
    assert from_raw("x", kind, (datatypes._SMALL + 1,), raw).base is not None
    assert from_raw("x", kind, (2,), raw[:8]).base is None, "a small one is copied"
    apart = from_raw("x", kind, (datatypes._SMALL,), memoryview(raw)[3:-1])
    assert apart.flags.aligned


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ServeError, match="datatype 'FP8' of 'x' is unknown; the datatypes are BOOL"):
        datatype("FP8", "x")
    assert objects([[1], [2, 3]]).shape == (2,), "whatever they are"
