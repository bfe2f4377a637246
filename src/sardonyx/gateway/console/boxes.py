"""Boxes in what detectors answer: the common forms of their outputs, and which of many boxes are one.

Decides which outputs are boxes. Must not know how they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEAST_SCORE = 0.25
MOST = 50
_MANY = 100
_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Box:
    """A box in shares of the picture's sides: left, top, width, height; `kind` is the number of its class."""

    left: float
    top: float
    width: float
    height: float
    score: float
    kind: int = 0


def boxes_of(outputs: Mapping[str, Array], width: int, height: int) -> list[Box] | None:
    """The boxes in the outputs for a picture of that size, best first; None if the outputs are not boxes."""
    found = _separate(outputs)
    for array in outputs.values() if found is None else ():
        found = _rows(array)
        if found is not None:
            break
    if found is None:
        return None
    corners, scores, kinds = found
    kept = np.isfinite(corners).all(1) & (scores >= LEAST_SCORE)
    corners, scores, kinds = corners[kept], scores[kept], kinds[kept]
    if len(corners) and corners.max() > 2:
        corners = corners / np.array([width, height, width, height])
    order = _distinct(corners, scores, kinds)[:MOST]
    return [
        Box(left, top, max(0.0, right - left), max(0.0, low - top), float(scores[i]), int(kinds[i]))
        for i in order
        for left, top, right, low in [np.clip(corners[i], 0, 1).tolist()]
    ]


_Found = tuple[Array, Array, Array]


def _separate(outputs: Mapping[str, Array]) -> _Found | None:
    """Outputs of their own for boxes [.., k, 4], scores [.., k] or [.., k, classes], and classes [.., k]."""
    boxes = next(
        (a for a in outputs.values() if a.ndim >= 2 and a.shape[-1] == 4 and a.dtype.kind == "f"), None
    )
    if boxes is None or (boxes.ndim == 4):
        return None
    corners = boxes.reshape(-1, 4)
    count = len(corners)
    others = {n: np.squeeze(a) for n, a in outputs.items() if a is not boxes and a.dtype.kind in "fiu"}
    lines = {n: a.reshape(-1) for n, a in others.items() if a.size == count and count}
    scores = next(
        (a for n, a in lines.items() if a.dtype.kind == "f" and "class" not in n and "label" not in n), None
    )
    kinds = next((a for n, a in lines.items() if a is not scores), None)
    if scores is not None:
        return corners, scores, np.zeros(count, np.int64) if kinds is None else kinds.astype(np.int64)
    table = next(
        (a for a in others.values() if a.ndim == 2 and count in a.shape and a.dtype.kind == "f"), None
    )
    if table is None or count < 2:
        return None
    table = table if table.shape[0] == count else table.T
    return corners, table.max(1), table.argmax(1)


def _rows(array: Array) -> _Found | None:
    """One output with a row or a column for each candidate, as YOLO has it; or final rows of six."""
    if array.dtype.kind != "f" or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[0] != 1):
        return None
    high, wide = array.shape[-2:]
    table = array.reshape(high, wide)
    if wide in (6, 7) and high <= 1000 and _are_final(table[:, -6:]):
        rows = table[:, -6:]
        return rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    if 5 <= high < wide and wide >= _MANY:
        middles, classes = table[:4].T, table[4:].T
        return _corners(middles), classes.max(1), classes.argmax(1)
    if high >= _MANY and 6 <= wide <= 512 and high > wide:
        classes = table[:, 4:5] * table[:, 5:]
        return _corners(table[:, :4]), classes.max(1), classes.argmax(1)
    return None


def _are_final(rows: Array) -> bool:
    """Whether rows are left, top, right, bottom, score, class; of any other six the last is not whole."""
    whole = (rows[:, 5] == np.round(rows[:, 5])).all() and (rows[:, 5] >= -1).all()
    sided = (rows[:, 2] >= rows[:, 0]).all() and (rows[:, 3] >= rows[:, 1]).all()
    return bool(whole and sided and (rows[:, 4] <= 1.001).all())


def _corners(middles: Array) -> Array:
    half = middles[:, 2:] / 2
    return np.concatenate([middles[:, :2] - half, middles[:, :2] + half], 1)


def _distinct(corners: Array, scores: Array, kinds: Array) -> list[int]:
    """The places of the best boxes, without those that overlap a better one of their class by half."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable")[:1000]:
        if all(kinds[i] != kinds[j] or _overlap(corners[i], corners[j]) <= _OVERLAP for j in kept):
            kept.append(int(i))
    return kept


def _overlap(a: Array, b: Array) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    whole = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both
    return both / whole if whole > 0 else 0.0
