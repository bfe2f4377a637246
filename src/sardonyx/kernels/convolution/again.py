"""Weights of bytes for sums of 16 bits, and the steps of a convolution that are added again for them.

Decides which entry and which of its steps each is; must not know how they are summed.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.place import Storage
from sardonyx.ir.value import Value, const
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, Argument
from sardonyx.kernels.convolution.pack import conv_steps
from sardonyx.kernels.product.pack import pack_b
from sardonyx.passes.repeated_steps import Repeated, repeated


@dataclass(frozen=True, slots=True)
class Again:
    """The operands of the tile, its weights as the kernel reads them, and words of what is added again."""

    operand: str
    weights: Storage
    words: dict[int, Argument]


def added_again(anchor: Value, goal: Goal) -> Again | None:
    """How a convolution of one group multiplies bytes in sums of 16 bits; None if it does not."""
    x, w = anchor.args[:2]
    tile = goal.find_tile("i8") if x.dtype is dt.U8 else None
    if tile is None or not tile.limit:
        return None
    assert w.data is not None and x.rank == 5 and anchor.attrs["group"] == 1
    found = repeated(conv_steps(w.data, 1, goal), goal)
    assert found is not None
    channels, taps, block = w.data.shape[1], int(np.prod(w.data.shape[2:])), goal.target.channel_block
    parts = [min(block, channels - first) for first in range(0, channels, block)]
    counts = np.repeat([-(-n // tile.k_step) for n in parts], taps)
    weights, table = const(pack_b(found.weights, goal)), const(_table(found, counts))
    place = Address(Storage("packed", table.dtype, table.size, 0, table))
    words: dict[int, Argument] = {Conv.AGAIN: place, Conv.AGAIN_STEPS: found.steps.shape[-1]}
    return Again(found.tile.operand, Storage("packed", weights.dtype, weights.size, 0, weights), words)


def _table(found: Repeated, counts: np.ndarray) -> np.ndarray:
    """The words of `Conv.AGAIN`, for entries of so many steps."""
    entries = np.repeat(np.arange(counts.size), counts)
    inside = np.arange(entries.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([entries[found.steps], inside[found.steps]], -1).astype(np.int64)
