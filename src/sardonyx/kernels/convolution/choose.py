"""Whether a convolution is computed on matrix registers; must not know how.

It is where their tile serves everywhere, channels fill them, and the input that one tile of outputs reads
fits the scratch. That of `fp32` does not: detectors of text and voices magnify what it leaves out, 4e-6 of
each layer, to more than 2e-4 of their largest result.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels.product.choose import have_parts
from sardonyx.kernels.tiles.matrix import MatrixShape, Plane

_LEAST_CHANNELS, _LEAST_OUTPUTS = 24, 24
"""Input and output channels that fill registers well enough."""


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a convolution; None if vectors do."""
    x, w, *laid_out = anchor.args
    tile = goal.find_matrix("f32") if anchor.dtype is dt.F32 else None
    if tile is None or not tile.everywhere or goal.policy.winograd in ("f2", "f4"):
        return None
    if laid_out or w.data is None:
        return None
    if anchor.attrs["group"] != 1 or x.rank != 5 or goal.target.channel_block != tile.rows:
        return None
    outputs, channels = w.data.shape[:2]
    if channels < _LEAST_CHANNELS or outputs < _LEAST_OUTPUTS:
        return None
    rows, columns = w.data.shape[2:]
    (row_step, step), (row_dilation, dilation) = anchor.attrs["strides"], anchor.attrs["dilations"]
    if rows > 1 and row_dilation > 1:
        return None
    shape = MatrixShape(tile)
    width = (shape.rows - 1) * step + (columns - 1) * dilation + 1
    band = (row_step + rows) * width + shape.rows * step
    steps = -(-channels // shape.k_step)
    pixel_bytes = steps * tile.row_bytes * (1 if shape.planes == 1 else len(Plane)) + tile.row_bytes
    fits = band * pixel_bytes <= goal.target.l2_bytes * 3 // 2
    return tile if fits and have_parts(w.data) else None
