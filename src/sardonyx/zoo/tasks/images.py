"""Pictures for networks: read, scaled, drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.zoo.download import FetchError
from sardonyx.zoo.maker import Array
from sardonyx.zoo.tasks.answer import Answer, percent

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def opened(source: Any) -> Image.Image:
    """A picture of a path, an array [h, w, 3] of uint8 or a picture; FetchError if it cannot be read."""
    try:
        from PIL import Image
    except ImportError as error:
        raise FetchError("pictures need the package pillow; pip install 'sardonyx[zoo]'") from error
    if isinstance(source, Image.Image):
        return flat(source)
    if isinstance(source, np.ndarray):
        return flat(Image.fromarray(source))
    try:
        with Image.open(source) as file:
            return flat(file)
    except FileNotFoundError as error:
        raise FetchError(f"there is no file {source}") from error
    except Image.DecompressionBombError as error:
        raise FetchError(f"{source} is too large: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FetchError(f"{Path(source)} is not a picture that can be read: {error}") from error


def flat(image: Image.Image) -> Image.Image:
    """Upright, as its camera was held; on white where it is transparent; RGB."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        ground = Image.new("RGBA", upright.size, "white")
        ground.alpha_composite(upright)
        upright = ground
    return upright.convert("RGB")


def pixels(image: Image.Image, width: int, height: int) -> Array:
    """Scaled: float32 [height, width, 3], 0 to 255."""
    return np.asarray(image.resize((width, height), 2), np.float32)


def planes(array: Array) -> Array:
    """[h, w, c] -> [1, c, h, w]"""
    return np.ascontiguousarray(np.moveaxis(array, -1, 0)[None], np.float32)


def drawn(image: Image.Image, boxes: list[tuple[Box, str]]) -> Image.Image:
    """A copy with boxes, one colour for each first word; of labels in one place the first is written."""
    from PIL import ImageDraw

    copy = image.copy()
    pen = ImageDraw.Draw(copy)
    names = sorted({text.partition(" ")[0] for _, text in boxes})
    colours = [COLOURS[names.index(text.partition(" ")[0]) % len(COLOURS)] for _, text in boxes]
    for (box, _), colour in zip(boxes, colours, strict=True):
        pen.rectangle(box, outline=colour, width=2)
    written: list[Box] = []
    for (box, text), colour in zip(boxes, colours, strict=True):
        left, top = box[0], max(box[1] - 12, 0)
        place = pen.textbbox((left, top), text)
        if text and not any(_touch(place, other) for other in written):
            written.append(place)
            pen.rectangle(place, fill=colour)
            pen.text((left, top), text, fill="white")
    return copy


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def marked(image: Image.Image, found: list[dict[str, Any]]) -> Answer:
    """What was found, each with `label`, `score` and `box`, as lines and drawn on the picture."""
    lines = [f"{percent(row['score']):>6}  {row['label']}  {row['box']}" for row in found]
    marks: list[tuple[Box, str]] = [
        (tuple(row["box"]), f"{row['label']} {percent(row['score'])}") for row in found
    ]
    return Answer("\n".join(lines) or "nothing found", found, drawn(image, marks))


def kept(boxes: Array, scores: Array, overlap: float) -> list[int]:
    """The best boxes [n, 4] that overlap no better one by more than a part of their union."""
    order, chosen = list(np.argsort(-scores, kind="stable")), []
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), 1)
    while order:
        best, rest = order[0], np.array(order[1:], int)
        chosen.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), 1)
        order = list(rest[shared <= overlap * (areas[best] + areas[rest] - shared)])
    return chosen
