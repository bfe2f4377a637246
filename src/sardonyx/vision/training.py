"""The whole way: find pictures, compute features, judge on folds, fit, set right, export, compare, record."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from sardonyx.base.together import written
from sardonyx.train.scores import Score, of_classes
from sardonyx.vision import heads
from sardonyx.vision.features import Features, quiet_session
from sardonyx.vision.network import BACKBONES, FITS, Head, whole_model
from sardonyx.vision.pictures import NONE, Pictures, VisionError, found, opened
from sardonyx.vision.settings import PictureSettings, Progress
from sardonyx.vision.several import of_labels

Array = np.ndarray[Any, Any]
COMPARED = 16
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Settings(PictureSettings):
    """What the user asks for.

    Attributes:
        fit: `stretch` a picture to the network's square, or `crop` its middle.
    """

    backbone: str = next(iter(BACKBONES))
    views: int = 4
    fit: str = "stretch"


@dataclass(frozen=True)
class Trained:
    """A trained classifier and all that was found on the way.

    Attributes:
        chances: what folds said of pictures unknown to them: [pictures, classes].
        refused: which of these they would have taken for none of these.
        error: the largest difference of a probability between the ONNX file and scikit-learn's head.
        seconds: of features, and of all the rest.
    """

    settings: Settings
    pictures: Pictures
    classes: tuple[str, ...]
    truth: Array
    chances: Array
    refused: Array
    scores: list[Score]
    error: float
    compared: int
    seconds: tuple[float, float]
    model: onnx.ModelProto

    def wrong(self) -> list[int]:
        """The pictures whose label was predicted wrongly, the most confident mistakes first."""
        if self.pictures.several:
            bad = np.flatnonzero(((self.chances > 0.5) != self.truth).any(1))
            sure = np.abs(self.chances - self.truth).max(1)
        else:
            bad = np.flatnonzero(self.chances.argmax(1) != self.truth.argmax(1))
            sure = self.chances.max(1)
        return sorted(bad.tolist(), key=lambda at: -sure[at])

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "settings": asdict(self.settings),
            "pictures": len(self.pictures.files),
            "classes": dict(zip(self.classes, self.truth.sum(0).tolist(), strict=True)),
            "several": self.pictures.several,
            "scores": [asdict(score) for score in self.scores],
            "taken_for_none": float(self.refused.mean()),
            "wrong": [str(self.pictures.files[at]) for at in self.wrong()],
            "warnings": list(self.pictures.warnings),
            "parity": {"largest_error": self.error, "pictures": self.compared},
            "seconds": dict(zip(("features", "rest"), self.seconds, strict=True)),
        }

    def save(self, path: str | Path, others: Mapping[Path, str] | None = None) -> list[Path]:
        """Write the ONNX file, its record and other texts, all or nothing; WriteError if they do not fit."""
        record = Path(path).with_suffix(".vision.json")
        text = f"{json.dumps(self.record(), indent=1)}\n"
        return written({Path(path): self.model.SerializeToString(), record: text, **(others or {})})


def train(source: str | Path, settings: Settings | None = None, progress: Progress | None = None) -> Trained:
    """Train on a folder of folders of pictures, or on a .csv of files and labels.

    Args:
        source: see `sardonyx.vision.pictures.found`.
        settings: None are the usual ones.
        progress: called with how many pictures are looked at, and how many there are; after the last picture
            before each fold. What it raises ends the training.

    Raises:
        VisionError: there is nothing to learn from, a file is not a picture, or the settings make no sense.
        FetchError: the backbone cannot be downloaded.
    """
    settings = settings or Settings()
    settings.check(BACKBONES)
    if settings.fit not in FITS:
        raise VisionError(f"{settings.fit!r} is not a way to fit a picture; there are {', '.join(FITS)}")
    pictures = found(source)
    classes, truth = _goal(pictures)
    backbone = BACKBONES[settings.backbone]
    began = time.monotonic()
    maker = Features(backbone, settings.fit, settings.threads)
    features = maker.of_files(pictures.files, settings.views, progress)
    looked = time.monotonic()

    def before() -> None:
        if progress is not None:
            progress(len(pictures.files), len(pictures.files))

    with threadpool_limits(1):
        unseen = heads.cross_validated(features, truth, pictures.several, settings.seed, before)
        before()
        heat = heads.temperature(unseen.scores, truth, pictures.several)
        head = heads.fitted(*heads.flat(features, truth), pictures.several, settings.seed)
    most = float(np.percentile(unseen.distances, 100 - heads.UNLIKE))
    head = dataclasses.replace(
        head, weights=head.weights / heat, bias=head.bias / heat, most=most, classes=classes
    )
    said = heads.chances(unseen.scores / heat, pictures.several)
    about = {"sardonyx.backbone": settings.backbone, "sardonyx.fit": settings.fit}
    model = whole_model(backbone, settings.fit, head, about)
    error, compared = _parity(model, head, features, pictures, settings)
    if pictures.several:
        scores = of_labels(truth, said, settings.seed)
    else:
        scores = of_classes(np.array(classes)[truth.argmax(1)], said, classes, settings.seed)
    return Trained(
        settings,
        pictures,
        classes,
        truth,
        said,
        unseen.distances > most,
        scores,
        error,
        compared,
        (looked - began, time.monotonic() - looked),
        model,
    )


def _goal(pictures: Pictures) -> tuple[tuple[str, ...], Array]:
    """The classes and which picture has which; pictures without a label are a class if each has but one."""
    truth = pictures.truth
    rest = ~truth.any(1)
    if pictures.several or not rest.any():
        return pictures.classes, truth
    classes = tuple(sorted((*pictures.classes, NONE)))
    at = classes.index(NONE)
    return classes, np.insert(truth, at, rest, axis=1)


def _parity(
    model: onnx.ModelProto, head: Head, features: Array, pictures: Pictures, settings: Settings
) -> tuple[float, int]:
    """The file's answers beside those of the head in double precision, on pictures spread over all."""
    session = quiet_session(model, settings.threads)
    count = min(COMPARED, len(pictures.files))
    rows = np.linspace(0, len(pictures.files) - 1, count).astype(int)
    scores, distances = heads.scored(head, features[rows, 0].astype(np.float64))
    expected = heads.chances(scores, head.several)
    error = 0.0
    for at, row in enumerate(rows):
        pixels = opened(pictures.files[row], BACKBONES[settings.backbone].side)
        label, chances, strangeness = session.run(None, {"picture": np.ascontiguousarray(pixels)})
        unlike = float(strangeness[0]) - distances[at] / head.most
        apart = max(float(np.abs(chances[0] - expected[at]).max()), abs(unlike))
        error = max(error, apart)
        strange = distances[at] > head.most or (head.several and scores[at].max() < 0)
        meant = NONE if strange else head.classes[int(scores[at].argmax())]
        if apart > TOLERANCE or (label[0] != meant and not _is_tie(expected[at], distances[at], head)):
            raise VisionError(
                f"the ONNX file says {label[0]!r} of {pictures.files[row]} and is off by {apart:.1e}, the "
                f"head says {meant!r}; nothing was written: please report this"
            )
    return error, count


def _is_tie(chances: Array, distance: float, head: Head) -> bool:
    first, second = np.sort(chances)[-2:][::-1] if len(chances) > 1 else (chances[0], 0.5)
    near = abs(distance / head.most - 1) < TOLERANCE
    return bool(near or first - second < TOLERANCE or (head.several and abs(first - 0.5) < TOLERANCE))
