"""Weights of bytes for sums of 16 bits, and the steps of a convolution that are added again for them.

Where these are many, pixels are looked at for any weights. Decides which entry and which of its steps each is
that is added again; must not know how they are summed.
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
from sardonyx.kernels.convolution.outliers import OUTLIERS, laid_out_bytes
from sardonyx.kernels.convolution.pack import conv_steps
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.kernels.product.pack import pack_b
from sardonyx.passes.repeated_steps import Repeated, is_quick, pays, repeated
from sardonyx.passes.short_sums import IN_PAIRS, serves_any

_COLUMNS = 64
"""Outputs that are looked at before all are."""


@dataclass(frozen=True, slots=True)
class Again:
    """The operands of the tile, its weights as the kernel reads them, and words of what it knows more.

    `how` is what names of kernels say before the operand, `room` how many bytes of scratch they take more.
    """

    operand: str
    weights: Storage
    words: dict[int, Argument]
    how: str = ""
    room: int = 0


def added_again(anchor: Value, goal: Goal) -> Again | None:
    """How a convolution of one group multiplies bytes in sums of 16 bits; None if it does not."""
    x, w = anchor.args[:2]
    tile = goal.find_tile("i8") if x.dtype is dt.U8 else None
    if tile is None or not tile.limit:
        return None
    assert w.data is not None and x.rank == 5 and anchor.attrs["group"] == 1
    whole = conv_steps(w.data, 1, goal)
    may_look = serves_any(whole, goal)
    # The panel with the most repeated steps decides: all of them take no less than some.
    if may_look and not pays(whole[..., :_COLUMNS], goal):
        return _any_weights(whole, goal)
    found = repeated(whole, goal)
    assert found is not None
    if may_look and not is_quick(found, whole.shape[1], goal):
        return _any_weights(whole, goal)
    channels, taps, block = w.data.shape[1], int(np.prod(w.data.shape[2:])), goal.target.channel_block
    parts = [min(block, channels - first) for first in range(0, channels, block)]
    counts = np.repeat([-(-n // tile.k_step) for n in parts], taps)
    table = Address(_stored(_table(found, counts)))
    words: dict[int, Argument] = {Conv.AGAIN: table, Conv.AGAIN_STEPS: found.steps.shape[-1]}
    return Again(found.tile.operand, _stored(pack_b(found.weights, goal)), words)


def _any_weights(steps: np.ndarray, goal: Goal) -> Again:
    words: dict[int, Argument] = {Conv.TOTALS: Address(_stored(column_totals(steps, goal)))}
    return Again(IN_PAIRS, _stored(pack_unsigned(steps, goal)), words, OUTLIERS, laid_out_bytes(goal))


def _stored(data: np.ndarray) -> Storage:
    constant = const(data)
    return Storage("packed", constant.dtype, constant.size, 0, constant)


def _table(found: Repeated, counts: np.ndarray) -> np.ndarray:
    """The words of `Conv.AGAIN`, for entries of so many steps."""
    entries = np.repeat(np.arange(counts.size), counts)
    inside = np.arange(entries.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([entries[found.steps], inside[found.steps]], -1).astype(np.int64)
