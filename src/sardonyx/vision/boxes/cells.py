"""A picture as a grid of cells: which cell learns which box, and which boxes cells of a picture say.

The class of a cell is what has its middle there; the four numbers beside it are the logarithms of the
distances from the cell's middle to the sides of the box, as shares of the picture's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.vision.boxes.precision import Boxes, overlap

Array = np.ndarray[Any, Any]
GRID = 40
CORE = 0.15  # of the half sides of a box, from its middle: cells there learn it
NEAREST, FARTHEST = -7.0, 0.5  # the least and largest logarithm of a distance
OVERLAP = 0.4
MOST = 100


def middles() -> Array:
    """The middles of all cells, row after row: [cells, 2] as x, y."""
    steps = (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(steps, steps)
    return np.stack([x.ravel(), y.ravel()], 1)


@dataclass(frozen=True)
class Lesson:
    """What the cells of a picture should say.

    Attributes:
        kinds: the number of a class, or how many classes there are: nothing has its middle here; [cells].
        sides: logarithms of distances to left, top, right and bottom; [cells, 4].
        inside: whether a cell is on a box though not at its middle; [cells].
    """

    kinds: Array
    sides: Array
    inside: Array


def lesson(corners: Array, kinds: Array, classes: int) -> Lesson:
    """For boxes [n, 4] of classes [n]: where several could be learned, the smallest is."""
    at = middles()
    numbers, sides = np.full(len(at), classes), np.zeros((len(at), 4))
    inside = np.zeros(len(at), bool)
    size = np.prod(corners[:, 2:] - corners[:, :2], 1)
    for number in np.argsort(-size, kind="stable"):
        low, high = corners[number, :2], corners[number, 2:]
        middle, core = (low + high) / 2, np.maximum((high - low) * CORE, 0.5 / GRID)
        near: Array = np.all(np.abs(at - middle) <= core, axis=1)
        near[((at - middle) ** 2).sum(1).argmin()] = True
        inside |= ((at > low) & (at < high)).all(1)
        numbers[near] = kinds[number]
        away = np.concatenate([at[near] - low, high - at[near]], 1)
        sides[near] = np.log(np.clip(away, np.exp(NEAREST), None))
    return Lesson(numbers, sides, inside & (numbers == classes))


def boxes(chances: Array, sides: Array, least: float) -> Boxes:
    """What cells say, chances [cells, classes] and sides [cells, 4]: the best of boxes that overlap."""
    at = middles()
    away = np.exp(np.clip(sides, NEAREST, FARTHEST))
    corners = np.clip(np.concatenate([at - away[:, :2], at + away[:, 2:]], 1), 0, 1)
    kept: list[int] = []
    kinds: list[int] = []
    for kind in range(chances.shape[1]):
        some = _distinct(corners, chances[:, kind], least)
        kept += some
        kinds += [kind] * len(some)
    scores = chances[kept, kinds] if kept else np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    return Boxes(corners[kept][order], np.array(kinds, int)[order], scores[order])


def _distinct(corners: Array, scores: Array, least: float) -> list[int]:
    """The best cells, without those whose boxes overlap that of a better one too much."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    left = order[scores[order] > least]
    while len(left) and len(kept) < MOST:
        kept.append(int(left[0]))
        shared = overlap(corners[left[:1]], corners[left[1:]])[0]
        left = left[1:][shared <= OVERLAP]
    return kept
