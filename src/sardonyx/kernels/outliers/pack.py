"""The layout of weights for products with any of them. Must not know graphs or how kernels are written."""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import aligned_zeros, pack_b
from sardonyx.passes.short_sums import IN_PAIRS


def pack_unsigned(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Signed bytes w[..., K, N], K in whole steps, laid out as `pack_b` does, but unsigned: more by 128."""
    assert w.shape[-2] % goal.tile(IN_PAIRS).k_step == 0
    return pack_b(w ^ np.int8(-128), goal)


def column_totals(w: np.ndarray, goal: Goal) -> np.ndarray:
    """The sums of the columns of w[..., K, N], no batches, as i32; zeros behind them up to whole vectors."""
    k, n = w.shape[-2:]
    lanes = goal.target.lanes
    totals = aligned_zeros((-(-n // lanes) * lanes,), np.dtype(np.int32))
    totals[:n] = w.reshape(k, n).sum(0, dtype=np.int32)
    return totals
