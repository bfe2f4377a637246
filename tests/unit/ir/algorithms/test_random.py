"""Every run draws another number, all 32 bits of it."""

from __future__ import annotations

import numpy as np

from sardonyx.ir.algorithms.random import random_key


def test_keys_differ_and_use_all_bits() -> None:
    keys = [random_key(stream="a") for _ in range(64)]
    assert all(key.dtype == np.uint32 and key.shape == () for key in keys)
    assert len({int(key) for key in keys}) == 64
    assert np.bitwise_or.reduce(keys) == 2**32 - 1
