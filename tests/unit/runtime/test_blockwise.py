"""Block-wise quantisation equals onnxruntime's native functions."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from sardonyx.runtime import blockwise

PEER = importlib.import_module("onnxruntime.capi._pybind_state")


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("rows", "cols", "block"), [(64, 8, 32), (48, 7, 32), (96, 5, 16), (40, 4, 16)])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_columns(bits: int, rows: int, cols: int, block: int, symmetric: bool) -> None:
    weight = np.random.default_rng(bits).normal(size=(rows, cols)).astype(np.float32)
    weight[:block, 0] = 0
    blocks, each = -(-rows // block), 8 // bits

    def made(module: Any) -> tuple[Any, ...]:
        packed = np.zeros((cols, blocks, block // each), np.uint8)
        scales, zeros = np.zeros((cols, blocks), np.float32), np.zeros((cols, -(-blocks // each)), np.uint8)
        function = getattr(module, f"quantize_matmul_{bits}bits")
        function(packed, weight, scales, zeros, block, cols, rows, symmetric)
        return packed, scales, zeros

    for ours, peers in zip(made(blockwise), made(PEER), strict=True):
        np.testing.assert_array_equal(ours, peers)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("rows", "cols", "block"), [(64, 8, 32), (48, 6, 16)])
def test_rows(rows: int, cols: int, block: int, symmetric: bool) -> None:
    weight = np.random.default_rng(1).normal(size=(rows, cols)).astype(np.float32)
    blocks = -(-rows // block)

    def made(module: Any) -> tuple[Any, ...]:
        packed, zeros = np.zeros(rows * cols // 2, np.uint8), np.zeros(blocks * cols // 2, np.uint8)
        scales = np.zeros((blocks, cols), np.float32)
        signed = module.quantize_qdq_matmul_4bits(packed, weight, scales, zeros, block, cols, rows, symmetric)
        return packed, scales, zeros, np.array(signed)

    for ours, peers in zip(made(blockwise), made(PEER), strict=True):
        np.testing.assert_array_equal(ours, peers)
