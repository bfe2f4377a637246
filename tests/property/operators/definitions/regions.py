"""RoiAlign by its definition: places as fractions, where a sample on the edge of a picture is on it."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.property.operators.draw import Array


def aligned(
    x: Array,
    rois: Array,
    images: Array,
    *,
    mode: str,
    output_height: int,
    output_width: int,
    sampling_ratio: int,
    spatial_scale: float,
    coordinate_transformation_mode: str = "output_half_pixel",
) -> Array:
    """Mean, or largest weighed pixel, of the samples of each cell of each region (x1, y1, x2, y2)."""
    half = coordinate_transformation_mode == "half_pixel"
    cells = output_height, output_width
    y = np.zeros((len(rois), x.shape[1], *cells))
    for region, (corners, image) in enumerate(zip(rois, images, strict=True)):
        ends = [Fraction(float(v)) * Fraction(spatial_scale) - Fraction(int(half), 2) for v in corners]
        axes = [
            _places(ends[1 - axis], ends[3 - axis], cells[axis], sampling_ratio, 0 if half else 1)
            for axis in (0, 1)
        ]
        for cell in np.ndindex(*cells):
            samples = itertools.product(axes[0][cell[0]], axes[1][cell[1]])
            parts = np.array([_parts(x[image], row, column) for row, column in samples])
            if len(parts):
                y[(region, slice(None), *cell)] = parts.sum(1).mean(0) if mode == "avg" else parts.max((0, 1))
    return y


def _places(start: Fraction, end: Fraction, cells: int, ratio: int, least: int) -> list[list[Fraction]]:
    """Where the samples of each cell lie."""
    length = max(end - start, Fraction(least)) if least else end - start
    count = ratio or math.ceil(length / cells)
    steps = [
        [Fraction(2 * (cell * count + n) + 1, 2 * cells * count) for n in range(count)]
        for cell in range(cells)
    ]
    return [[start + step * length for step in row] for row in steps]


def _parts(picture: Array, row: Fraction, column: Fraction) -> Array:
    """[4, channels]: the pixels around a place, each by its weight; zeros outside."""
    around: list[Any] = []
    for place, size in zip((row, column), picture.shape[1:], strict=True):
        if not -1 <= place <= size:
            return np.zeros((4, picture.shape[0]))
        low = min(math.floor(max(place, Fraction(0))), size - 1)
        upper = 0.0 if low == size - 1 else float(max(place, Fraction(0)) - low)
        around.append(((low, 1 - upper), (min(low + 1, size - 1), upper)))
    return np.array([picture[:, i, j] * (a * b) for (i, a), (j, b) in itertools.product(*around)])
