"""Whether the last panel of a convolution has so few columns that steps of k lie side by side in its vectors.

Must not know how such a panel is multiplied.
"""

from __future__ import annotations

from math import prod

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.convolution.parts import runs_by_group
from sardonyx.kernels.tiles.beside import lanes_that_save
from sardonyx.kernels.tiles.shape import TileShape

_LEAST_CHANNELS = 16
"""Those of a group, below which adding lanes takes what the steps save."""

_LEAST_PIXELS = 8

_MOST_ENTRIES = 64
"""Parts of the channels times taps: more might be cut, and cuts count steps of single lanes."""


def together_of(anchor: Value, goal: Goal) -> int:
    """How many lanes a column of the last panel has, where vectors multiply floats; 1: one, as elsewhere."""
    x, w, *laid_out = anchor.args
    if "missing" in anchor.attrs:
        return 1
    if anchor.prim != "conv_blocked" or x.rank != 5 or x.dtype is not dt.F32 or laid_out or w.data is None:
        return 1
    shape, (_, per, *taps) = TileShape.of(goal, "f32"), w.data.shape
    entries = (-(-per // shape.block) + 1) * prod(taps)
    if runs := anchor.attrs.get("runs"):
        entries = max(map(len, runs_by_group(runs, per))) * prod(taps)
    pixels = dims.product(anchor.shape[2:4])
    few = isinstance(pixels, int) and pixels < _LEAST_PIXELS
    if few or per < _LEAST_CHANNELS or entries > _MOST_ENTRIES:
        return 1
    used = used_of(anchor)
    return lanes_that_save(used, used % shape.columns, shape.lanes)


def used_of(anchor: Value) -> int:
    """How many outputs of a group are computed."""
    return int(anchor.attrs.get("used", 0) or anchor.args[1].shape[0] // anchor.attrs["group"])
