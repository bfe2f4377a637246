"""A picture shown to the model of a collection: what it says, and how sure it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import sardonyx
from sardonyx.vision.pictures import NONE, SUFFIXES, VisionError, inline, opened
from sardonyx.vision.studio.collections import Collection, Mark
from sardonyx.vision.studio.outcome import MODEL, in_words

Array = np.ndarray[Any, Any]
SIDE, MOST, HALF = 480, 6, 0.5
_BOXES = ("boxes", "labels", "scores", "classes")


@dataclass(frozen=True)
class Trial:
    """What a model says of a picture.

    Attributes:
        label: in words.
        chances: the likeliest labels, or those of the boxes, with how sure it is.
        strangeness: how strange it finds the picture; beyond 1 stranger than 99 of 100.
        found: the boxes, the best first.
    """

    name: str
    image: str
    label: str
    chances: tuple[tuple[str, float], ...]
    strangeness: float = 0.0
    found: tuple[Mark, ...] = ()


def tried(collection: Collection, name: str, content: bytes) -> Trial:
    """Ask the model of the last training; VisionError if there is none, or that is not a picture."""
    model = collection.folder / MODEL
    if not model.is_file():
        raise VisionError("train a model first")
    shown = PurePosixPath(name.replace("\\", "/")).name
    suffix = PurePosixPath(shown).suffix.lower()
    if suffix not in SUFFIXES:
        raise VisionError(f"{shown} is not a picture by its name")
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"picture{suffix}"
        file.write_bytes(content)
        try:
            pixels = opened(file, SIDE)
        except VisionError as error:
            raise VisionError(f"{shown} is not a picture that can be read") from error
    session = sardonyx.InferenceSession(str(model))
    answers = session.run(None, {"picture": np.ascontiguousarray(pixels)})
    image = inline(pixels, SIDE)
    if len(answers) == len(_BOXES):
        return _of_boxes(shown, image, pixels.shape, *answers[:3])
    label, chances, strangeness = answers
    names = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    order = np.argsort(-chances[0])[:MOST]
    rows = tuple((names[at], float(chances[0, at])) for at in order)
    several = collection.kind == "several" and str(label[0]) != NONE
    said = ", ".join(name for name, chance in rows if chance > HALF) if several else ""
    return Trial(shown, image, said or str(label[0]), rows, float(strangeness[0]))


def _of_boxes(
    name: str, image: str, shape: tuple[int, ...], boxes: Array, labels: Array, scores: Array
) -> Trial:
    corners = (boxes / np.array([shape[1], shape[0]] * 2)).tolist()
    found = tuple(
        Mark(str(label), (left, top, right, bottom))
        for label, (left, top, right, bottom) in zip(labels, corners, strict=True)
    )
    rows = tuple((mark.label, float(score)) for mark, score in zip(found, scores, strict=True))
    return Trial(name, image, in_words(found), rows, found=found)
