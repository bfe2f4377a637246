"""A picture shown to the model of a collection: what it says, and how sure it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np

import sardonyx
from sardonyx.vision.pictures import SUFFIXES, VisionError, inline, opened
from sardonyx.vision.studio.collections import Collection
from sardonyx.vision.studio.trainings import MODEL

SIDE, MOST = 480, 6


@dataclass(frozen=True)
class Trial:
    """What a model says of a picture: its label, the likeliest classes, how strange it finds it."""

    name: str
    image: str
    label: str
    chances: tuple[tuple[str, float], ...]
    strangeness: float


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
    label, chances, strangeness = session.run(None, {"picture": np.ascontiguousarray(pixels)})
    names = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    order = np.argsort(-chances[0])[:MOST]
    rows = tuple((names[at], float(chances[0, at])) for at in order)
    return Trial(shown, inline(pixels, SIDE), str(label[0]), rows, float(strangeness[0]))
