"""Tasks that find boxes: parts of a page's layout, characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import sardonyx
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks import images
from sardonyx.zoo.tasks.answer import Answer

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = (
    *("text", "title", "figure", "figure caption", "table", "table caption"),
    *("header", "footer", "reference", "equation"),
)
LEAST, OVERLAP = 0.4, 0.5
Found = tuple[Array, Array, Array]


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline of a model."""
    session = sardonyx.InferenceSession(str(pull(model)))
    find = _layout if model == "picodet_layout_cdla" else _characters
    labels = LAYOUT if model == "picodet_layout_cdla" else ("character",)

    def run(source: Any) -> Answer:
        image = images.opened(source)
        boxes, scores, classes = find(session, image)
        rows = []
        for kind in np.unique(classes):
            of_kind = np.flatnonzero((classes == kind) & (scores >= LEAST))
            rows += [of_kind[at] for at in images.kept(boxes[of_kind], scores[of_kind], OVERLAP)]
        limits = np.array([*image.size, *image.size])
        found: list[dict[str, Any]] = [
            {
                "label": labels[classes[at]],
                "score": float(scores[at]),
                "box": [round(float(side), 1) for side in np.clip(boxes[at], 0, limits)],
            }
            for at in sorted(rows, key=lambda at: (boxes[at, 1], boxes[at, 0]))
        ]
        return images.marked(image, found)

    return run


def _layout(session: Any, image: Image.Image) -> Found:
    """PicoDet: scores of classes, and distances to the four sides as distributions, at four strides."""
    (_, _, height, width) = session.get_inputs()[0].shape
    array = (images.pixels(image, width, height) / 255 - images.IMAGENET_MEAN) / images.IMAGENET_STD
    answers = session.run(None, {"image": images.planes(array)})
    boxes, scores = [], []
    for level, stride in enumerate((8, 16, 32, 64)):
        steps = (-(-height // stride), -(-width // stride))
        y, x = (np.indices(steps).reshape(2, -1) + 0.5) * stride
        sides = answers[level + 4][0].reshape(len(x), 4, -1)
        weights = np.exp(sides - sides.max(2, keepdims=True))
        weights /= weights.sum(2, keepdims=True)
        left, top, right, bottom = (weights @ np.arange(weights.shape[2])).T * stride
        boxes.append(np.stack([x - left, y - top, x + right, y + bottom], 1))
        scores.append(answers[level][0])
    grown = np.concatenate(boxes) * np.array([image.width / width, image.height / height] * 2)
    chances = np.concatenate(scores)
    return grown, chances.max(1), chances.argmax(1)


def _characters(session: Any, image: Image.Image) -> Found:
    """YOLOX: offsets within cells, logarithms of sizes, objectness and class, at three strides."""
    side = 416
    scale = min(side / image.width, side / image.height)
    width, height = round(image.width * scale), round(image.height * scale)
    canvas = np.full((side, side, 3), 114, np.float32)
    canvas[:height, :width] = images.pixels(image, width, height)[:, :, ::-1]
    (answer,) = session.run(None, {"images": images.planes(canvas)})
    cells, strides = [], []
    for stride in (8, 16, 32):
        y, x = np.indices((side // stride, side // stride)).reshape(2, -1)
        cells.append(np.stack([x, y], 1))
        strides.append(np.full((len(x), 1), stride))
    cell, stride_of = np.concatenate(cells), np.concatenate(strides)
    centre = (answer[0, :, :2] + cell) * stride_of
    half = np.exp(answer[0, :, 2:4]) * stride_of / 2
    scores = answer[0, :, 4] * answer[0, :, 5]
    return np.concatenate([centre - half, centre + half], 1) / scale, scores, np.zeros(len(scores), int)
