"""Whether the last vector of outputs has so few of them that steps of k lie side by side in its lanes.

Must not know how such a vector is multiplied.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.beside import lanes_that_save
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.scheme import Scheme

_LEAST_CHANNELS = 16
"""Those below which adding lanes takes what the steps save."""

_CHAINS = 8
"""Tiles whose sums of one vector hide each other's latency: two vectors take fewer no longer than one."""


def together_of(anchor: Value, scheme: Scheme, goal: Goal) -> int:
    """How many lanes an output of the last vector has; 1: one, as elsewhere."""
    pixels = dims.product((anchor.shape[0], *anchor.shape[2:4]))
    if isinstance(pixels, int) and pixels < _CHAINS * scheme.pixels:
        return 1
    outputs, channels = (int(n) for n in anchor.args[1].shape[:2])  # type: ignore[arg-type]
    return together_for(channels, outputs, scheme, goal)


def together_for(channels: int, outputs: int, scheme: Scheme, goal: Goal) -> int:
    """The same of many tiles; more than 1 only where vectors multiply floats, as many as a block has."""
    shape = TileShape.of(goal, scheme.operand)
    if scheme.tile or scheme.is_whole or channels < _LEAST_CHANNELS:
        return 1
    if shape.max_rows < _CHAINS or shape.lanes != shape.block:
        return 1
    return lanes_that_save(outputs, outputs % shape.lanes, shape.lanes)
