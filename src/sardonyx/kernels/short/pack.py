"""The layout of weights of 24 bits. Must not know graphs or kernels."""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import aligned_zeros, pack_b
from sardonyx.kernels.short.choose import rounded
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import SHORT_BYTES, TileShape

GAP_BYTES = CACHE_LINE
"""Behind each panel: the last number of one is read with what follows."""

_QUAD = 4
"""Numbers that fill whole dwords, three of them."""


def pack_short(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out the upper three bytes of w[..., K, N], rounded, in the order of `pack_b`, without batches.

    Zeros follow each panel. The result is dwords, 64-byte aligned.
    """
    k, n = w.shape[-2:]
    bits = rounded(pack_b(w.reshape(k, n), goal).view(np.uint32)) >> 8
    a, b, c, d = np.moveaxis(bits.reshape(-1, _QUAD), 1, 0)
    dwords = np.stack([a | b << 24, b >> 8 | c << 16, c >> 16 | d << 8], 1).reshape(-1)
    packed = aligned_zeros(short_shape(w.shape, goal), np.dtype(np.float32))
    words, panel, gap = packed.view(np.uint32), _panel_words(k, goal), GAP_BYTES // 4
    count = len(dwords) // panel
    whole = words[: count * (panel + gap)].reshape(count, panel + gap)
    whole[:, :panel] = dwords[: count * panel].reshape(count, panel)
    rest = dwords[count * panel :]
    words[count * (panel + gap) :][: len(rest)] = rest
    return packed


def short_shape(dims: tuple[int, ...], goal: Goal) -> tuple[int]:
    """The shape of what `pack_short` makes of an array."""
    k, n = dims[-2:]
    shape = TileShape.of(goal, "f32")
    numbers = k * -(-n // shape.lanes) * shape.lanes
    panels = -(-n // shape.columns)
    return (numbers * SHORT_BYTES // 4 + panels * GAP_BYTES // 4,)


def _panel_words(k: int, goal: Goal) -> int:
    return k * TileShape.of(goal, "f32").columns * SHORT_BYTES // 4
