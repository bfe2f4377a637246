"""Pictures with boxes on them, checked: what COCO and YOLO files come to, and what is odd about them.

Decides what a usable box is; knows no format and no network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.vision.pictures import VisionError

Array = np.ndarray[Any, Any]
LEAST_OF_A_CLASS = 5
SHOWN = 5
HELD = ("val", "valid", "validation", "test")


@dataclass(frozen=True)
class Mark:
    """A box as an annotation says it: sides as shares of the picture's, and where that stands."""

    kind: int
    left: float
    top: float
    right: float
    bottom: float
    where: str


@dataclass(frozen=True)
class Scene:
    """A picture, its boxes, and whether its data set keeps it for judging alone."""

    file: Path
    marks: tuple[Mark, ...]
    held: bool = False


@dataclass(frozen=True)
class Scenes:
    """Pictures with boxes.

    Attributes:
        files: the pictures.
        boxes: of each picture [n, 4]: left, top, right, bottom as shares of its sides.
        kinds: of each picture int [n]: the numbers of the classes of its boxes.
        classes: their names.
        held: which pictures are kept for judging alone: bool [pictures]; none if the data set keeps none.
        warnings: what is odd about them.
    """

    files: tuple[Path, ...]
    boxes: tuple[Array, ...]
    kinds: tuple[Array, ...]
    classes: tuple[str, ...]
    held: Array
    warnings: tuple[str, ...] = ()


def checked(source: Path, scenes: Sequence[Scene], classes: Sequence[str]) -> Scenes:
    """Cut boxes at the edges of their pictures, and refuse what cannot be learned from.

    Raises:
        VisionError: no pictures or boxes, a box without area or wholly outside, too few boxes of a class.
    """
    if not scenes:
        raise VisionError(f"there is no picture in {source}")
    if not any(scene.marks for scene in scenes):
        raise VisionError(f"there is no box on any of the {len(scenes)} pictures of {source}")
    boxes, kinds, cut = [], [], 0
    for scene in scenes:
        for mark in scene.marks:
            cut += _reaches_out(mark)
        corners = [(mark.left, mark.top, mark.right, mark.bottom) for mark in scene.marks]
        boxes.append(np.clip(np.array(corners, np.float64).reshape(-1, 4), 0, 1))
        kinds.append(np.array([mark.kind for mark in scene.marks], np.int64))
    held = np.array([scene.held for scene in scenes])
    if held.all():
        held[:] = False
    counts = Counter(np.concatenate([row for row, out in zip(kinds, held, strict=True) if not out]).tolist())
    named = tuple(name for at, name in enumerate(classes) if counts[at])
    missing = [name for at, name in enumerate(classes) if not counts[at]]
    few = {classes[at]: count for at, count in counts.items() if count < LEAST_OF_A_CLASS}
    if few:
        text = ", ".join(f"{name!r} has {count}" for name, count in sorted(few.items())[:SHOWN])
        raise VisionError(f"{LEAST_OF_A_CLASS} boxes of a class are the least to learn from; {text}")
    number = {at: named.index(name) for at, name in enumerate(classes) if name in named}
    known = [np.array([kind in number for kind in row.tolist()], bool) for row in kinds]
    return Scenes(
        tuple(scene.file for scene in scenes),
        tuple(row[keep] for row, keep in zip(boxes, known, strict=True)),
        tuple(
            np.array([number[k] for k in row[keep].tolist()], np.int64)
            for row, keep in zip(kinds, known, strict=True)
        ),
        named,
        held,
        (*_told(cut, missing),),
    )


def _told(cut: int, missing: list[str]) -> list[str]:
    told = []
    if cut:
        told.append(f"{cut} boxes reach out of their pictures; they were cut at the edge")
    if missing:
        told.append(f"no box of {', '.join(missing[:SHOWN])} to learn from: the model does not know them")
    return told


def _reaches_out(mark: Mark) -> bool:
    sides = (mark.left, mark.top, mark.right, mark.bottom)
    if not np.isfinite(sides).all() or mark.right <= mark.left or mark.bottom <= mark.top:
        raise VisionError(f"{mark.where}: a box without area; mend it or take it away")
    if mark.right <= 0 or mark.bottom <= 0 or mark.left >= 1 or mark.top >= 1:
        raise VisionError(f"{mark.where}: a box wholly outside its picture; mend it or take it away")
    return min(sides) < -0.01 or max(sides) > 1.01
