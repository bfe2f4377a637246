"""Maps of features of pictures, computed by the engine, and pictures changed together with their boxes.

Decides what cells of a picture are learned from; knows no head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.vision.boxes.cells import GRID, lesson
from sardonyx.vision.boxes.network import maps_model
from sardonyx.vision.features import quiet_session
from sardonyx.vision.network import Network

Array = np.ndarray[Any, Any]
Levels = tuple[Array, ...]
OF_A_PICTURE = 60  # cells of the ground that are learned from, of each view, and a third as many on boxes
LEFT_OVER = 0.5  # boxes of which less is left are not boxes of a changed picture


class Maps:
    """Makes maps of pictures, on one thread each: for each level [side, side, n], finest first."""

    def __init__(self, network: Network) -> None:
        self._session = quiet_session(maps_model(network), 1)

    def of_pixels(self, pixels: Array) -> Levels:
        """Of uint8 [height, width, 3]."""
        levels = self._session.run(None, {"picture": np.ascontiguousarray(pixels)})
        return tuple(level[0].transpose(1, 2, 0) for level in levels)


def picked(levels: Sequence[Array], cells: Array) -> Array:
    """The features of cells [n, features], level beside level."""
    y, x = cells // GRID, cells % GRID
    return np.concatenate([level[y >> at, x >> at] for at, level in enumerate(levels)], 1)


def spread(levels: Sequence[Array], weights: Array) -> Array:
    """The features of all cells times weights [features, m]: [cells, m]."""
    answer, begin = np.zeros((GRID, GRID, weights.shape[1])), 0
    for at, level in enumerate(levels):
        end = begin + level.shape[2]
        part = level.astype(np.float64) @ weights[begin:end]
        answer += part.repeat(2**at, 0).repeat(2**at, 1)
        begin = end
    return answer.reshape(GRID * GRID, -1)


def examples(
    levels: Sequence[Array], corners: Array, kinds: Array, classes: int, random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Cells to learn from: features, numbers of classes, sides; all middles of boxes, some of the rest."""
    told = lesson(corners, kinds, classes)
    ground = np.flatnonzero((told.kinds == classes) & ~told.inside)
    beside = np.flatnonzero(told.inside)
    cells = np.concatenate(
        [
            np.flatnonzero(told.kinds < classes),
            random.permutation(beside)[: OF_A_PICTURE // 3],
            random.permutation(ground)[:OF_A_PICTURE],
        ]
    )
    return picked(levels, cells), told.kinds[cells], told.sides[cells]


def changed(
    pixels: Array, corners: Array, kinds: Array, random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """The picture as it might have been taken: nearer or farther, mirrored, lighter or darker."""
    from PIL import Image

    height, width = pixels.shape[:2]
    part = random.uniform(0.6, 1.3)
    low, high = (min(0.0, 1 - part), max(0.0, 1 - part))
    left, top = random.uniform(low, high, 2)
    seen = (left * width, top * height, (left + part) * width, (top + part) * height)
    image = Image.fromarray(pixels).transform(
        (width, height),
        Image.Transform.EXTENT,
        seen,
        Image.Resampling.BILINEAR,
        fillcolor=(127, 127, 127),
    )
    moved = (corners - np.array([left, top, left, top])) / part
    mirrored = random.random() < 0.5
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        moved = moved[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
    cut = np.clip(moved, 0, 1)
    kept = np.prod(cut[:, 2:] - cut[:, :2], 1) >= LEFT_OVER * np.prod(moved[:, 2:] - moved[:, :2], 1)
    light = np.clip(np.asarray(image, np.float32) * random.uniform(0.75, 1.25), 0, 255)
    return light.astype(np.uint8), cut[kept], kinds[kept]
