"""What a maker of feeds is; shared by the four families of feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Feeds = dict[str, Array]
Sizes = dict[str, Any]


class Maker(NamedTuple):
    """How the feeds of one model are made.

    Attributes:
        make: keyword arguments are sizes (batch, width, seconds...), all with defaults.
        sizes: sets of keyword arguments worth trying; the first is what a benchmark uses.
    """

    make: Callable[..., Feeds]
    sizes: tuple[Sizes, ...] = ({},)


def dice(seed: int) -> np.random.Generator:
    """The same random numbers on every machine."""
    return np.random.default_rng(seed)


def repeated(row: Array, batch: int) -> Array:
    """`batch` rows made of one [1, ...] row, each scaled a little so that no two are equal."""
    scale = 1 + 0.01 * np.arange(batch, dtype=row.dtype)
    return np.ascontiguousarray(row * scale.reshape(-1, *[1] * (row.ndim - 1)))
