"""The address of an array is where its first element is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.runtime.pointers import _asked, address_of

WHOLE = np.zeros((6, 7), np.float32)


VIEWS = [WHOLE, WHOLE[2:, 3:], WHOLE.T, WHOLE[::-1], np.zeros(()), np.zeros((0, 3)), np.zeros(2, object)]


@pytest.mark.parametrize("array", [*VIEWS, np.frombuffer(b"abcd", np.uint8)])
def test_addresses(array: Any) -> None:
    assert address_of(array) == _asked(array) == array.ctypes.data


def test_a_freed_place_is_read_anew() -> None:
    for size in range(1, 200):
        array = np.empty(size)
        assert address_of(array) == array.ctypes.data
