"""Pictures on their way into tensors and out of them; browsers decode and scale, here are plain pixels.

Decides which inputs are pictures and how their axes lie. Must not know forms.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.protocol.errors import invalid
from sardonyx.serve.signature import Port

Array = npt.NDArray[Any]

MAX_SIDE = 2048
_LEAST_SIDE = 4
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
SCALES = {
    "imagenet": "ImageNet",
    "unit": "0 to 1",
    "centred": "−1 to 1",
    "raw": "0 to 255",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How an input holds a picture: the axis of its colours, their number, and sides (None is free)."""

    rank: int
    channel_axis: int
    channels: int
    height: int | None
    width: int | None


def layout_of(port: Port) -> Layout | None:
    """The layout of an input that can be a picture; None for other inputs."""
    dims = port.dims
    if port.datatype in ("BYTES", "BOOL", "INT64", "INT32") or not port.ranked or len(dims) not in (3, 4):
        return None
    sizes = [size if isinstance(size, int) else None for size in dims]
    if len(dims) == 4 and sizes[0] not in (1, None):
        return None
    first = len(dims) - 3
    for axis, sides in ((first, (first + 1, first + 2)), (len(dims) - 1, (first, first + 1))):
        channels = sizes[axis]
        height, width = (sizes[side] for side in sides)
        if channels in (1, 3, 4) and all(s is None or s >= _LEAST_SIDE for s in (height, width)):
            return Layout(len(dims), axis, channels, height, width)
    if len(dims) == 4 and all(size is None for size in sizes[1:]):
        return Layout(4, 1, 3, None, None)
    return None


def tensor_of(
    pixels: bytes, width: int, height: int, layout: Layout, dtype: Any, scale: str, order: str
) -> Array:
    """The input for red-green-blue bytes, row by row. INVALID_ARGUMENT if they are not what they claim."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE) or len(pixels) != width * height * 3:
        raise invalid(f"{len(pixels)} bytes are not a picture of {width} x {height} pixels")
    for size, wanted, side in ((height, layout.height, "high"), (width, layout.width, "wide")):
        if wanted is not None and size != wanted:
            raise invalid(f"the picture is {size} pixels {side}, the model takes {wanted}")
    if scale not in SCALES:
        raise invalid(f"{scale!r} is not a way to scale; there are {', '.join(SCALES)}")
    image: Array = np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(np.float32)
    if scale == "imagenet":
        image = (image / 255 - _MEAN) / _STD
    elif scale != "raw":
        image = image / 255 if scale == "unit" else image / 127.5 - 1
    if order == "bgr":
        image = image[:, :, ::-1]
    if layout.channels == 1:
        image = image @ np.array([[0.299], [0.587], [0.114]], np.float32)
    elif layout.channels == 4:
        image = np.concatenate(
            [image, np.full((height, width, 1), 255 if scale == "raw" else 1, np.float32)], 2
        )
    first = layout.rank - 3
    if layout.channel_axis == first:
        image = image.transpose(2, 0, 1)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        image = np.clip(np.rint(image), info.min, info.max)
    return np.ascontiguousarray(image.reshape((1,) * first + image.shape).astype(dtype))


def picture_of(values: Array) -> str:
    """A data URL of a picture [H, W] or [H, W, 1|3]; its range is guessed: 0 to 255, 0 to 1 or -1 to 1."""
    plain = np.nan_to_num(values.astype(np.float32))
    low, high = float(plain.min(initial=0)), float(plain.max(initial=0))
    if low < -0.05 and high <= 1.5:
        plain = (plain + 1) * 127.5
    elif high <= 1.5:
        plain = plain * 255
    pixels = np.clip(np.rint(plain), 0, 255).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return png(np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels)


def regions_of(classes: Array) -> tuple[str, list[int]]:
    """A data URL of a map of classes [H, W] in colours, and the classes that cover most, up to eight."""
    names, counts = np.unique(classes, return_counts=True)
    hues = (names.astype(np.float64) * 0.618033988749895) % 1
    colours = np.stack([_wave(hues + shift) for shift in (0, 1 / 3, 2 / 3)], -1)
    colours[names == 0] = 24
    pixels = colours[np.searchsorted(names, classes)].astype(np.uint8)
    return png(pixels), [int(name) for name in names[np.argsort(-counts)][:8]]


def png(pixels: npt.NDArray[np.uint8]) -> str:
    """A data URL with the PNG of [H, W, 3]."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)
    rows[:, 1:] = pixels.reshape(height, width * 3)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def _wave(hue: Array) -> Array:
    return 70 + 160 * (0.5 + 0.5 * np.cos(2 * np.pi * hue))
