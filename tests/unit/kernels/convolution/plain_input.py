"""A convolution of plain input, and the tile of matrix registers that serves it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.place import Place, Storage, contiguous_strides
from sardonyx.ir.value import Value, const, make, placeholder

Chosen = Callable[[Value, Place, Goal], MatrixTile | None]


def name_of(
    chosen: Chosen,
    goal: Goal,
    shape: tuple[int, int, int, int],
    number: float = 0.3,
    *,
    pixels: int,
    last: int = 1,
    **attributes: object,
) -> str | None:
    """The tile that serves weights of such a shape and number; pixels are `last` elements apart."""
    outputs, channels, *_ = shape
    x = placeholder("x", dt.F32, (1, channels, pixels, pixels))
    at = {"strides": (1, 1), "dilations": (1, 1), "group": 1, **attributes}
    weights = const(np.full(shape, number, np.float32))
    anchor = make("conv_blocked", (x, weights), at, dt.F32, (1, -(-outputs // 16), 18, 18, 16))
    strides = (*contiguous_strides(x.shape)[:3], last)
    tile = chosen(anchor, Place(Storage("arena", dt.F32, x.size), 0, strides), goal)
    return tile.name if tile else None
