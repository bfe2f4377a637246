"""Weights of few bits are read low bits first, and each block has its own scale and zero point."""

from __future__ import annotations

import numpy as np

from sardonyx.ir.algorithms.blockwise import dot_blockwise, levels


def test_numbers_of_a_byte_come_low_ones_first() -> None:
    w = np.array([[[0x21, 0x43]]], np.uint8)
    assert levels(w, 4, 3).tolist() == [[1, 2, 3]]
    assert levels(w, 8, 2).tolist() == [[0x21, 0x43]]


def test_each_block_is_scaled_by_itself() -> None:
    w = np.array([[[0x21], [0x43]]], np.uint8)
    scales, zeros = np.array([[1, 10]], np.float32), np.array([[1, 2]], np.float32)
    a = np.eye(4, dtype=np.float32)
    assert dot_blockwise(a, w, scales, zeros, bits=4, block=2).ravel().tolist() == [0, 1, 10, 20]
