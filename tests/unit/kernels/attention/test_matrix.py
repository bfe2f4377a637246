"""Attention on matrix registers: how near scores are, and that a special head leaves others alone."""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.attention.matrix import define_matrix_attention
from sardonyx.kernels.library import matrix_attention_ir
from sardonyx.llvm.vec import Module
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.attention.test_driver import WAYS, Drawn

FP32 = next(way for way in WAYS if way.name == "registers fp32")
MODEL = next(way for way in WAYS if way.name == "model fp32")


def test_scores_are_as_near_as_by_vectors() -> None:
    """What exp makes of them is off by what they are off: they are the result where values are ones."""
    drawn = Drawn((64, 64, 64, 64))
    drawn.v[...] = np.eye(64, dtype=np.float32)
    drawn.rows = lambda *_: None  # type: ignore[method-assign]
    exact = drawn.q.astype(np.float64) @ drawn.k.astype(np.float64)
    error = np.sqrt(np.mean((drawn.run(FP32) - exact) ** 2) / np.mean(exact**2))
    assert error < MATRIX_BOUNDS["bf16x3"]


def test_a_head_that_is_not_finite_leaves_the_others_alone() -> None:
    plain, special = Drawn((40, 36, 33, 20)), Drawn((40, 36, 33, 20))
    special.k[1, 1, 5, 7] = np.nan
    expected, got = plain.run(FP32), special.run(FP32)
    others = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]
    assert all(np.array_equal(got[head], expected[head]) for head in others)
    assert np.isnan(got[1, 1]).all()


def test_the_same_bits_from_the_machine_and_from_its_model() -> None:
    results = [Drawn((40, 36, 33, 20)).run(way) for way in (FP32, MODEL)]
    assert np.array_equal(results[0], results[1])


def test_texts_are_the_same_whoever_writes_them() -> None:
    tile = FP32.tile
    assert tile
    texts = [matrix_attention_ir.__wrapped__(tile, FP32.goal) for _ in range(2)]
    assert texts[0] == texts[1]
    module = Module()
    define_matrix_attention(module, FP32.goal, tile)
    assert module.text().count(f"define void @{FP32.layout.symbol}") == 1
