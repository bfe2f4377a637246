"""Tasks on whole pictures: classification and cutting out the foreground."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import sardonyx
from sardonyx.zoo.fetch import fetch_asset
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks import images
from sardonyx.zoo.tasks.answer import Answer, percent

if TYPE_CHECKING:
    from PIL import Image

CAFFE_MEAN = np.array([104, 117, 123], np.float32)


def _upright(image: Image.Image) -> Array:
    return images.planes((images.pixels(image, 224, 224) / 255 - images.IMAGENET_MEAN) / images.IMAGENET_STD)


def _nsfw(image: Image.Image) -> Array:
    cut = images.pixels(image, 256, 256)[16:240, 16:240, ::-1]
    return np.ascontiguousarray((cut - CAFFE_MEAN)[None], np.float32)


def _digit(image: Image.Image) -> Array:
    """White on black, as the digits that it learned."""
    grey = images.pixels(image, 28, 28).mean(2)
    ink = 255 - grey if grey.mean() > 127 else grey
    return np.ascontiguousarray(ink[None, None], np.float32)


def _thing(side: int) -> Callable[[Image.Image], Array]:
    return lambda image: images.planes((images.pixels(image, side, side) - 127) / 128)


def _things() -> tuple[str, ...]:
    """The first word that WordNet has for each of the 1,000 classes."""
    lines = fetch_asset("imagenet_lemmas.txt").read_text(encoding="utf-8").splitlines()
    words = dict(line.split("\t", 1) for line in lines)
    order = fetch_asset("imagenet_synsets.txt").read_text(encoding="utf-8").split()
    return tuple(words[synset].partition(",")[0] for synset in order)


READERS: dict[str, tuple[Callable[[Image.Image], Array], Callable[[], tuple[str, ...]]]] = {
    "efficientnet_lite0": (_thing(224), _things),
    "efficientnet_lite2": (_thing(260), _things),
    "lcnet_orientation": (_upright, lambda: ("upright", "turned by 90", "turned by 180", "turned by 270")),
    "opennsfw_resnet50_thin": (_nsfw, lambda: ("safe", "not safe for work")),
    "mnist_cntk": (_digit, lambda: tuple("0123456789")),
}


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline of a model."""
    session = sardonyx.InferenceSession(str(pull(model)))
    if task == "segment":
        return lambda source: _segmented(session, images.opened(source))
    reader, labels_of = READERS[model]
    labels = labels_of()
    return lambda source: _classified(session, reader(images.opened(source)), labels)


def _classified(session: Any, image: Array, labels: tuple[str, ...]) -> Answer:
    scores = session.run(None, {session.get_inputs()[0].name: image})[0]
    chances = scores[0].astype(np.float64)
    if chances.min() < 0 or abs(chances.sum() - 1) > 1e-3:
        chances = np.exp(chances - chances.max())
        chances /= chances.sum()
    rows = [{"label": labels[at], "probability": float(chances[at])} for at in np.argsort(-chances)]
    return Answer("\n".join(f"{percent(row['probability']):>6}  {row['label']}" for row in rows[:5]), rows)


def _segmented(session: Any, image: Image.Image) -> Answer:
    """The model answers how much of each pixel is foreground; that becomes the transparency."""
    from PIL import Image as Pictures

    first = session.get_inputs()[0]
    array = images.planes(images.pixels(image, 1024, 1024) / 256 - 0.5)
    wanted = session.get_outputs()[0].name
    kind = np.float16 if "16" in first.type else np.float32
    (mask,) = session.run([wanted], {first.name: array.astype(kind)})
    alpha = np.clip(mask[0, 0].astype(np.float32), 0, 1)
    shade = Pictures.fromarray((alpha * 255).astype(np.uint8)).resize(image.size, 2)
    cut = image.copy()
    cut.putalpha(shade)
    part = float((np.asarray(shade) > 127).mean())
    rows = np.argwhere(np.asarray(shade) > 127)
    box = [int(v) for v in (*rows.min(0)[::-1], *rows.max(0)[::-1])] if len(rows) else []
    return Answer(
        f"{percent(part)} of the picture is foreground, within {box}", {"part": part, "box": box}, cut
    )
