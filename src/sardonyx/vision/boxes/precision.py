"""COCO's average precision: found boxes against true ones. Knows no model and no picture.

The definition is that of pycocotools (Lin et al., Microsoft COCO, 2014): found boxes of a class are taken by
score, each is matched with the free true box of its picture that it overlaps most, precision is made to fall
with recall and read at 101 recalls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
OVERLAPS = np.arange(50, 100, 5) / 100
RECALLS = np.arange(101) / 100
MOST_OF_A_PICTURE = 100


@dataclass(frozen=True)
class Boxes:
    """Boxes of one picture: corners [n, 4], classes int [n], scores [n] (of true ones 1)."""

    corners: Array
    kinds: Array
    scores: Array


@dataclass(frozen=True)
class Precision:
    """Average precision [classes, overlaps] (NaN: no true box), and true boxes of each class [classes]."""

    table: Array
    counts: Array

    @property
    def mean(self) -> float:
        """COCO's AP: over classes and the overlaps 0.50 to 0.95."""
        return _mean(self.table)

    @property
    def at_half(self) -> float:
        """COCO's AP50."""
        return _mean(self.table[:, 0])


def _mean(table: Array) -> float:
    known = table[~np.isnan(table)]
    return float(known.mean()) if known.size else float("nan")


def overlap(first: Array, second: Array) -> Array:
    """Intersection over union of corners [n, 4] and [m, 4]: [n, m]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), 2)
    whole = _area(first)[:, None] + _area(second)[None] - both
    shared: Array = both / np.maximum(whole, 1e-12)
    return shared


def _area(corners: Array) -> Array:
    area: Array = np.prod(np.clip(corners[:, 2:] - corners[:, :2], 0, None), 1)
    return area


def precision(found: Sequence[Boxes], true: Sequence[Boxes], classes: int) -> Precision:
    """Average precision of what was found on pictures, class by class and overlap by overlap."""
    table = np.full((classes, len(OVERLAPS)), np.nan)
    counts = np.zeros(classes, int)
    for kind in range(classes):
        hits, scores = [], []
        for some, real in zip(found, true, strict=True):
            of_kind = np.flatnonzero(some.kinds == kind)
            best = of_kind[np.argsort(-some.scores[of_kind], kind="stable")][:MOST_OF_A_PICTURE]
            there = real.corners[real.kinds == kind]
            hits.append(_matched(overlap(some.corners[best], there)))
            scores.append(some.scores[best])
            counts[kind] += len(there)
        if counts[kind]:
            order = np.argsort(-np.concatenate(scores), kind="stable")
            table[kind] = _average(np.concatenate(hits, 1)[:, order], counts[kind])
    return Precision(table, counts)


def _matched(shared: Array) -> Array:
    """Which found boxes, best first, have a true one, at each overlap: bool [overlaps, n]."""
    hits = np.zeros((len(OVERLAPS), len(shared)), bool)
    for at, least in enumerate(OVERLAPS):
        free = np.ones(shared.shape[1], bool)
        for row, over in enumerate(shared):
            fits = np.where(free, over, -1.0)
            if fits.size and fits.max() >= least:
                free[len(fits) - 1 - fits[::-1].argmax()] = False
                hits[at, row] = True
    return hits


def _average(hits: Array, count: int) -> Array:
    """Hits [overlaps, n] by falling score -> average precision [overlaps]."""
    right = hits.cumsum(1)
    told = right / np.arange(1, hits.shape[1] + 1)
    falling = np.maximum.accumulate(told[:, ::-1], 1)[:, ::-1]
    answer = np.zeros(len(OVERLAPS))
    for at, recall in enumerate(right / count):
        places = np.searchsorted(recall, RECALLS, side="left")
        answer[at] = np.mean(np.append(falling[at], 0.0)[np.minimum(places, len(recall))])
    return answer
