"""How rows of a forest are asked: one by one through clusters or by ordinals, many by ordinals or by bits.

Decides by estimates of the cycles that a row takes; must not know what a kernel is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.trees.bits import Bits, bits_of
from sardonyx.kernels.trees.clusters import Clusters, cut
from sardonyx.kernels.trees.numbered import numbered
from sardonyx.kernels.trees.ordinal_blocks import PICKED
from sardonyx.kernels.trees.ordinals import Ordinals, ordinals_of
from sardonyx.kernels.trees.totals import MOST_OUTPUTS

Array = np.ndarray[Any, Any]
_GAIN = 1.25
"""How many times faster blocks by ordinals must be: estimates are no better than that."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What rows are asked by: `clusters`, or `ordinals` where there are none; many rows by `bits`, if any.

    `leaves` are the nodes that are leaves, by number. All of them have an entry for each of `outputs` targets
    from `first` on, or `outputs` is 0. A row takes `row_cycles` alone, and `many_cycles` among many.
    """

    ordinals: Ordinals | None
    clusters: Clusters | None
    bits: Bits | None
    leaves: Array
    first: int
    outputs: int
    row_cycles: float
    many_cycles: float

    @property
    def width(self) -> int:
        """The outputs, rounded up to a power of two."""
        return 1 << (self.outputs - 1).bit_length() if self.outputs else 0

    def block_leaves(self, stored: DType, target: Target) -> int | None:
        """The leaves of a tree that stay in registers where many rows are asked by ordinals, 0 = too many.

        None where many rows are asked otherwise.
        """
        if self.ordinals is None or not self.width:
            return None
        leaves = -(-self.ordinals.most_leaves // (2 * target.lanes)) * 2 * target.lanes
        picked = leaves <= PICKED * target.lanes and self.width == 1 and stored is dt.F32
        cycles = self.ordinals.block_row_cycles(picked, self.width, target)
        if _GAIN * cycles > self.many_cycles:
            return None
        return leaves if picked else 0


def ways_of(tables: Mapping[str, Array], depths: Array, dtype: DType, target: Target) -> Ways:
    """The ways for a forest, by the tables of `Forest` in `ops/ml` and the longest walk of each tree."""
    numbering = cache(partial(numbered, tables))
    bits = bits_of(tables, numbering) if target.is_machine and dtype is dt.F32 else None
    ordinals = ordinals_of(tables, target, numbering) if target.is_machine else None
    row_cycles, clusters = float((1.8 * depths + 4).sum()), None
    if ordinals and ordinals.row_cycles(target) < row_cycles:
        row_cycles = ordinals.row_cycles(target)
    else:
        clusters = cut(tables, (ordinals.leaves, ordinals.bases) if ordinals else None)
    alone = clusters or ordinals
    assert alone is not None
    many_cycles = bits.row_cycles(target) if bits else row_cycles
    targets = _same_targets(tables, alone.leaves)
    return Ways(ordinals, clusters, bits, alone.leaves, *targets, row_cycles, many_cycles)


def _same_targets(tables: Mapping[str, Array], leaves: Array) -> tuple[int, int]:
    """The first target and how many follow, if every leaf has one entry for each of them; else 0 of them."""
    begin, counts = (tables[side][leaves] for side in ("yes", "no"))
    outputs = int(counts.max(initial=0))
    if not 0 < outputs <= MOST_OUTPUTS or counts.min() < outputs:
        return 0, 0
    named = tables["target"][begin[:, None] + np.arange(outputs)]
    first = int(named[0, 0])
    return (first, outputs) if (named == first + np.arange(outputs)).all() else (0, 0)
