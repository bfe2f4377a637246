"""The whole way of a detector: read boxes, compute maps, judge on unseen pictures, fit, export, compare."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from sardonyx.base.together import written
from sardonyx.vision.boxes import coco, heads, yolo
from sardonyx.vision.boxes.maps import Levels, Maps, changed, examples
from sardonyx.vision.boxes.network import NETWORKS, SIDE, Head, whole_model
from sardonyx.vision.boxes.precision import Boxes, Precision, overlap, precision
from sardonyx.vision.boxes.scenes import Scenes, checked
from sardonyx.vision.features import quiet_session
from sardonyx.vision.looking import side_by_side
from sardonyx.vision.pictures import VisionError, naming_all_broken, opened
from sardonyx.vision.settings import PictureSettings, Progress

Array = np.ndarray[Any, Any]
Examples = tuple[Array, Array, Array]
FOLDS = 3
HALF = 0.5  # so much of a true box and a told one is shared at least if they are of the same thing
COMPARED = 8
TOLERANCE = 1e-3


@dataclass(frozen=True)
class BoxSettings(PictureSettings):
    """What the user asks for."""

    backbone: str = next(iter(NETWORKS))
    views: int = 3


@dataclass(frozen=True)
class TrainedBoxes:
    """A trained detector and all that was found on the way.

    Attributes:
        judged: the pictures that a head judged which had not learned from them.
        found: the boxes that it saw there, of any score, corners as shares of the sides.
        told: from which score on the ONNX file tells boxes.
        recall, right: at that score, the part of true boxes found, and the part of told ones right.
        error: the largest difference of a score between the ONNX file and the head in double precision.
        seconds: of maps, and of all the rest.
    """

    settings: BoxSettings
    scenes: Scenes
    judged: tuple[int, ...]
    found: tuple[Boxes, ...]
    precision: Precision
    told: float
    recall: float
    right: float
    error: float
    seconds: tuple[float, float]
    model: onnx.ModelProto

    def true(self, at: int) -> Boxes:
        """The boxes that were drawn on a picture."""
        return _true(self.scenes, at)

    def shown(self, at: int) -> Boxes:
        """Of the judged picture number `at` the boxes that the ONNX file would tell."""
        found = self.found[at]
        kept = found.scores >= self.told
        return Boxes(found.corners[kept], found.kinds[kept], found.scores[kept])

    def faults(self, at: int) -> int:
        """Of the judged picture number `at`: true boxes that were not found, and told ones that are wrong."""
        true, told = self.true(self.judged[at]), self.shown(at)
        shared = overlap(told.corners, true.corners) * (told.kinds[:, None] == true.kinds) >= HALF
        return int((~shared.any(1)).sum() + (~shared.any(0)).sum())

    def wrong(self) -> list[int]:
        """The numbers of judged pictures with faults, the worst first."""
        counts = [self.faults(at) for at in range(len(self.judged))]
        return sorted((at for at, count in enumerate(counts) if count), key=lambda at: -counts[at])

    def record(self) -> dict[str, Any]:
        """As JSON."""
        counts = np.concatenate(self.scenes.kinds)
        of_class = self.precision.table
        return {
            "settings": asdict(self.settings),
            "pictures": len(self.scenes.files),
            "classes": {name: int((counts == at).sum()) for at, name in enumerate(self.scenes.classes)},
            "judged": {"pictures": len(self.judged), "of_their_own": bool(self.scenes.held.any())},
            "scores": {"AP": self.precision.mean, "AP50": self.precision.at_half},
            "AP50": dict(zip(self.scenes.classes, _plain(of_class[:, 0]), strict=True)),
            "told_from": {"score": self.told, "found": self.recall, "right": self.right},
            "warnings": list(self.scenes.warnings),
            "parity": {"largest_error": self.error},
            "seconds": dict(zip(("maps", "rest"), self.seconds, strict=True)),
        }

    def save(self, path: str | Path, others: Mapping[Path, str] | None = None) -> list[Path]:
        """Write the ONNX file, its record and other texts, all or nothing; WriteError if they do not fit."""
        record = Path(path).with_suffix(".vision.json")
        text = f"{json.dumps(self.record(), indent=1)}\n"
        return written({Path(path): self.model.SerializeToString(), record: text, **(others or {})})


def _plain(values: Array) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _true(scenes: Scenes, at: int) -> Boxes:
    return Boxes(scenes.boxes[at], scenes.kinds[at], np.ones(len(scenes.kinds[at])))


def has_boxes(source: str | Path) -> bool:
    """Whether a folder or file is one of boxes: COCO's or YOLO's."""
    path = Path(source)
    return path.exists() and bool(yolo.described(path) or coco.files(path))


def found(source: str | Path) -> Scenes:
    """The pictures and boxes of a data set in the form of COCO or YOLO.

    Args:
        source: a COCO .json or a folder with such files; YOLO's data.yaml, or a folder with it, or one of
            pictures with texts beside them or in `labels`, and classes.txt.

    Raises:
        VisionError: it is neither, or broken; the message names the file and line.
    """
    path = Path(source)
    described = yolo.described(path) if path.exists() else None
    annotations = coco.files(path) if path.exists() and not described else []
    if described:
        return checked(path, *yolo.read(described))
    if annotations:
        return checked(path, *coco.read(path, annotations))
    raise VisionError(f"{path} holds no boxes: no COCO .json, and no data.yaml or classes.txt of YOLO")


def train(
    source: str | Path, settings: BoxSettings | None = None, progress: Progress | None = None
) -> TrainedBoxes:
    """Train on pictures with boxes.

    Args:
        source: see `found`.
        settings: None are the usual ones.
        progress: called with how many pictures are looked at, and how many there are; after the last picture
            before each fold. What it raises ends the training.

    Raises:
        VisionError: there is nothing to learn from, a file is not a picture, or the settings make no sense.
        FetchError: the backbone cannot be downloaded.
    """
    settings = settings or BoxSettings()
    settings.check(NETWORKS, "a backbone for boxes")
    scenes = found(source)
    began = time.monotonic()
    lessons, levels = _looked(scenes, settings, progress)
    looked = time.monotonic()
    widths = tuple(level.shape[2] for level in next(iter(levels.values())))

    def fitted(pictures: Sequence[int]) -> Head:
        rows, kinds, sides = (np.concatenate([lessons[at][part] for at in pictures]) for part in range(3))
        return heads.fitted(rows, kinds, sides, widths, scenes.classes)

    with threadpool_limits(1):
        judged: dict[int, Boxes] = {}
        for learned, unseen in _splits(scenes, settings.seed):
            if progress is not None:
                progress(len(scenes.files), len(scenes.files))
            head = fitted(learned)
            judged |= {at: heads.seen(head, levels[at]) for at in unseen}
        if not scenes.held.any():
            head = fitted(sorted(lessons))
    rows = sorted(judged)
    boxes, true = [judged[at] for at in rows], [_true(scenes, at) for at in rows]
    told, recall, right = heads.best_least(boxes, true)
    head = dataclasses.replace(head, least=told)
    about = {"sardonyx.backbone": settings.backbone, "sardonyx.least_score": f"{told:.4f}"}
    model = whole_model(NETWORKS[settings.backbone], head, about)
    error = _parity(model, head, scenes, settings)
    return TrainedBoxes(
        settings,
        scenes,
        tuple(rows),
        tuple(boxes),
        precision(boxes, true, len(scenes.classes)),
        told,
        recall,
        right,
        error,
        (looked - began, time.monotonic() - looked),
        model,
    )


def _looked(
    scenes: Scenes, settings: BoxSettings, progress: Progress | None
) -> tuple[dict[int, Examples], dict[int, Levels]]:
    """Cells to learn from, of the pictures that are for learning; the maps of those that are judged."""
    maps = Maps(NETWORKS[settings.backbone])

    def look(at: int) -> tuple[Levels | None, Examples | None]:
        pixels = opened(scenes.files[at], SIDE)
        plain = maps.of_pixels(pixels)
        judged = scenes.held[at] or not scenes.held.any()
        kept = tuple(level.astype(np.float16) for level in plain) if judged else None
        if scenes.held[at]:
            return kept, None
        random = np.random.default_rng([settings.seed, at])
        corners, kinds = scenes.boxes[at], scenes.kinds[at]
        parts = [examples(plain, corners, kinds, len(scenes.classes), random)]
        for _ in range(settings.views - 1):
            view, there, what = changed(pixels, corners, kinds, random)
            parts.append(examples(maps.of_pixels(view), there, what, len(scenes.classes), random))
        rows, numbers, sides = (np.concatenate([part[k] for part in parts]) for k in range(3))
        return kept, (rows, numbers, sides)

    with naming_all_broken(scenes.files, SIDE):
        seen = list(side_by_side(look, range(len(scenes.files)), settings.threads, progress))
    lessons = {at: learned for at, (_, learned) in enumerate(seen) if learned is not None}
    levels = {at: kept for at, (kept, _) in enumerate(seen) if kept is not None}
    return lessons, levels


def _splits(scenes: Scenes, seed: int) -> list[tuple[list[int], list[int]]]:
    """What is learned from and what is judged: the data set's own parts, or folds."""
    if scenes.held.any():
        return [(np.flatnonzero(~scenes.held).tolist(), np.flatnonzero(scenes.held).tolist())]
    count = len(scenes.files)
    if count < FOLDS:
        raise VisionError(f"{count} pictures are too few: at least {FOLDS} are needed to judge unseen ones")
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(np.arange(count))
    return [(learned.tolist(), unseen.tolist()) for learned, unseen in folds]


def _parity(model: onnx.ModelProto, head: Head, scenes: Scenes, settings: BoxSettings) -> float:
    """The file's boxes beside those of the head in double precision; VisionError if they are others.

    A box whose score is that of `least`, or that overlaps a better one by just as much as is allowed, may
    be told or not.
    """
    session = quiet_session(model, settings.threads)
    maps = Maps(NETWORKS[settings.backbone])
    rows = np.linspace(0, len(scenes.files) - 1, min(COMPARED, len(scenes.files))).astype(int)
    error, lost, count = 0.0, 0, 0
    for row in rows:
        pixels = opened(scenes.files[row], SIDE)
        expected = heads.seen(head, maps.of_pixels(pixels))
        corners, _, scores, kinds = session.run(None, {"picture": np.ascontiguousarray(pixels)})
        sizes = np.array([pixels.shape[1], pixels.shape[0]] * 2)
        same = overlap(corners / sizes, expected.corners) * (kinds[:, None] == expected.kinds)
        count += len(kinds) + len(expected.kinds)
        for best, nearest in zip(same.max(1, initial=0), _nearest(same), strict=True):
            lost += best < 1 - 10 * TOLERANCE
            if best >= 1 - 10 * TOLERANCE:
                at, to = nearest
                error = max(error, abs(float(scores[at]) - float(expected.scores[to])))
        lost += int((same.max(0, initial=0) < 1 - 10 * TOLERANCE).sum())
    if error > TOLERANCE or lost > max(2, count // 50):
        raise VisionError(
            f"the ONNX file's boxes are others than the head's ({lost} of {count}, scores off by "
            f"{error:.1e}); nothing was written: please report this"
        )
    return error


def _nearest(same: Array) -> list[tuple[int, int]]:
    return [(at, int(row.argmax()) if row.size else 0) for at, row in enumerate(same)]
