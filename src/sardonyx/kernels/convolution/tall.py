"""Whether the outputs of a convolution fit one vector, so that its tiles may have more rows.

Must not know how such tiles are multiplied.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.convolution.beside import together_of, used_of
from sardonyx.kernels.tiles.shape import TileShape


def is_tall(anchor: Value, goal: Goal) -> bool:
    """Whether vectors multiply floats for one vector of outputs a group, each in a lane of its own."""
    if anchor.args[0].dtype is not dt.F32 or len(anchor.args) > 2:
        return False
    shape = TileShape.of(goal, "f32")
    pixels = dims.product(anchor.shape[2:4])
    few = isinstance(pixels, int) and pixels <= shape.max_rows
    return not few and used_of(anchor) <= shape.lanes and together_of(anchor, goal) == 1
