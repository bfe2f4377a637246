"""Pictures for networks: read, scaled, drawn on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.files import no_file
from sardonyx.zoo.asking import FetchError
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
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise FetchError("pictures need the package pillow; pip install 'sardonyx[zoo]'") from error
    if isinstance(source, Image.Image):
        return flat(source)
    if isinstance(source, np.ndarray):
        return flat(Image.fromarray(source))
    try:
        with Image.open(source) as file:
            return flat(file)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FetchError(no_file(source)) from error
    except Image.DecompressionBombError as error:
        raise FetchError(f"{source} is too large: {error}") from error
    except UnidentifiedImageError as error:
        raise FetchError(f"{source} is not a picture: its content is that of no known kind") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FetchError(f"{Path(source)} is not a picture that can be read: {error}") from error


def flat(image: Image.Image) -> Image.Image:
    """Upright, as its camera was held; on white where it is transparent; RGB of 8 bits."""
    from PIL import Image

    image.load()
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(Image.Transpose[turn])
    if upright.mode in ("I", "F") or upright.mode.startswith("I;"):
        return _of_8_bits(upright).convert("RGB")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        ground = Image.new("RGBA", upright.size, "white")
        ground.alpha_composite(upright)
        upright = ground
    return upright.convert("RGB")


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once it is upright, of its head alone."""
    is_upright = image.format == "TIFF"  # whose size Pillow tells as if it were turned
    turn = "" if is_upright else _TURNS.get(_orientation(image), "")
    return (image.height, image.width) if turn in _ON_ITS_SIDE else image.size


_ORIENTATION = 274
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_ON_ITS_SIDE = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")


def _orientation(image: Image.Image) -> Any:
    """As the picture says, or that it is upright if what it says cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            told = image.getexif().get(_ORIENTATION, 1)
        except Exception:  # Pillow raises whatever a broken head leads it to
            return 1
    return told if isinstance(told, int) else 1


def _of_8_bits(image: Image.Image) -> Image.Image:
    """A picture of wider numbers: 16 bits are scaled, others by their largest if they are not 0 to 255."""
    from PIL import Image

    numbers = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
    largest = float(numbers.max(initial=0))
    if image.mode != "F":
        whole = 65535.0 if image.mode.startswith("I;") or 255 < largest < 65536 else max(largest, 255.0)
    else:
        whole = 1.0 if largest <= 1 else max(largest, 255.0)
    return Image.fromarray(np.clip(numbers * (255 / whole) + 0.5, 0, 255).astype(np.uint8))


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
