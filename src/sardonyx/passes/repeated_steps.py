"""Weights of bytes in steps, some of which are multiplied once more with what sums of 16 bits leave of them.

A step that is repeated reads the same numbers again, so any weights are exact; few of a panel of columns are
too large. Decides which steps these are and what they cost; must not know what the numbers are.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile
from sardonyx.passes.short_sums import IN_PAIRS, Array, summands

_OF_A_REPEATED_STEP = 2.5
"""What a step takes that is an entry of its own, in steps."""

_GAIN = 1.1
"""How many times faster than 16 bits it must be: those need no second look at weights."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """w[batch, K, N] for a tile: `weights` [batch, K + rests, N], and which `steps` the rests repeat.

    For each panel of columns, [batch, panels, count]: of a panel with fewer rests, some have weights of 0.
    """

    tile: RegisterTile
    weights: Array
    steps: Array

    @property
    def cost(self) -> float:
        """Instructions for a vector of sums."""
        repeated: int = self.steps.shape[-1]
        whole: int = self.weights.shape[1] // self.tile.k_step - repeated
        return (whole + _OF_A_REPEATED_STEP * repeated) * _instructions(self.tile)


def repeated(w: Array, goal: Goal) -> Repeated | None:
    """Weights of bytes [batch, K, N], K in whole steps, for the tile of bytes with the fewest instructions.

    None if there is none whose sums have 16 bits.
    """
    tiles = [tile for operand in ("i8", IN_PAIRS) if (tile := goal.find_tile(operand)) and tile.limit]
    return min((_for_tile(w, tile, goal) for tile in tiles), key=lambda found: found.cost, default=None)


def pays(w: Array, goal: Goal) -> bool:
    """Whether bytes [batch, K, N] are multiplied faster as such than in 16 bits."""
    found = repeated(w, goal)
    return found is not None and is_quick(found, w.shape[1], goal)


def is_quick(found: Repeated, inner: int, goal: Goal) -> bool:
    """Whether sums of so many products are made faster so than in 16 bits."""
    short = goal.find_tile("i16")
    return short is None or found.cost * _GAIN <= inner / short.k_step * _instructions(short)


def _instructions(tile: RegisterTile) -> float:
    """Those that multiply, add and widen a step."""
    by = tile.instruction
    return 2 + 1 / by.steps if by.widen else 2


def _for_tile(w: Array, tile: RegisterTile, goal: Goal) -> Repeated:
    kept, others = summands(w, tile)
    rests = [_by_panel(some, tile, goal) for some in others]
    batch, _, n = w.shape
    by_panel = np.concatenate(rests, 2) if rests else _by_panel(w[:, :0], tile, goal)
    used = by_panel.any((3, 4))
    count = int(used.sum(2).max(initial=0))
    # The steps that a panel uses come first; behind them come others, of zeros.
    order = np.argsort(~used, 2, kind="stable")[..., :count]
    taken = np.take_along_axis(by_panel, order[..., None, None], 2)
    columns = taken.shape[1] * taken.shape[4]
    behind = taken.transpose(0, 2, 3, 1, 4).reshape(batch, count * tile.k_step, columns)[..., :n]
    return Repeated(tile, np.concatenate([kept, behind], 1), order % max(1, w.shape[1] // tile.k_step))


def _by_panel(w: Array, tile: RegisterTile, goal: Goal) -> Array:
    """[batch, panel, step, row, column] of [batch, K, N]."""
    batch, k, n = w.shape
    columns = tile.vectors * goal.target.lanes
    panels = -(-n // columns)
    whole = np.pad(w, ((0, 0), (0, 0), (0, panels * columns - n)))
    steps = whole.reshape(batch, k // tile.k_step, tile.k_step, panels, columns)
    return np.ascontiguousarray(steps.transpose(0, 3, 1, 2, 4))
