"""Pictures as arrays: PNG without any library, other formats through Pillow if it is there.

Must not know models; `fit` only knows the shape it is asked for.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.tools.console import UserError

Pixels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def read_picture(path: Path) -> Pixels:
    """The pixels [height, width, channels] of a file, channels 1 (grey) or 3 (red, green, blue).

    Transparency is dropped. Raises UserError for what is not a picture or cannot be read.
    """
    try:
        data = path.read_bytes()
        if data.startswith(_SIGNATURE) and (pixels := _read_png(data)) is not None:
            return pixels
    except OSError as error:
        raise UserError(f"it cannot be read: {error.strerror or error}") from None
    except (ValueError, IndexError, struct.error, zlib.error):
        raise UserError("it begins as a PNG does and breaks off or is damaged") from None
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UserError(
            "it is not .npy, and of pictures only plain PNG is read without Pillow; pip install pillow"
        ) from None
    try:
        with Image.open(io.BytesIO(data)) as image:
            plain = image.convert("L" if image.mode in ("L", "1", "LA") else "RGB")
            return np.asarray(plain, np.uint8).reshape(plain.height, plain.width, -1)
    except UnidentifiedImageError:
        raise UserError("it is neither a .npy file nor a picture that Pillow knows") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"it is a picture that cannot be read: {error}") from None


def _read_png(data: bytes) -> Pixels | None:
    """The pixels of an 8-bit PNG without interlacing; None for another kind of PNG."""
    position, compressed, palette = len(_SIGNATURE), [], np.empty((0, 3), np.uint8)
    width = height = depth = kind = interlace = 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + size]
        position += size + 12
        if name == b"IHDR":
            width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif name == b"PLTE":
            palette = np.frombuffer(body, np.uint8).reshape(-1, 3)
        elif name == b"IDAT":
            compressed.append(body)
    if depth != 8 or interlace or kind not in _CHANNELS:
        return None
    channels = _CHANNELS[kind]
    raw = np.frombuffer(zlib.decompress(b"".join(compressed)), np.uint8)
    pixels = _unfilter(raw.reshape(height, width * channels + 1), channels).reshape(height, width, channels)
    if kind == 3:
        return palette[pixels[..., 0]]
    return pixels[..., :3] if channels >= 3 else pixels[..., :1]


def _unfilter(rows: Pixels, channels: int) -> Pixels:
    """Undo the row filters of PNG: the first byte of every row [1 + width * channels] names its filter."""
    height, size = rows.shape[0], rows.shape[1] - 1
    out = np.zeros((height, size), np.uint8)
    above = np.zeros(size, np.uint8)
    for row, target in zip(rows, out, strict=True):
        kind, line = int(row[0]), row[1:]
        if kind == 0:
            target[:] = line
        elif kind == 1:
            target[:] = np.add.accumulate(line.reshape(-1, channels), axis=0, dtype=np.uint8).reshape(-1)
        elif kind == 2:
            np.add(line, above, out=target)
        else:
            _predict(kind, line, above, target, channels)
        above = target
    return out


def _predict(kind: int, line: Pixels, above: Pixels, target: Pixels, channels: int) -> None:
    values, up, done = line.tolist(), above.tolist(), [0] * line.size
    for i, value in enumerate(values):
        left = done[i - channels] if i >= channels else 0
        if kind == 3:
            done[i] = (value + (left + up[i]) // 2) & 255
            continue
        corner = up[i - channels] if i >= channels else 0
        estimate = left + up[i] - corner
        near = min((abs(estimate - c), order, c) for order, c in enumerate((left, up[i], corner)))
        done[i] = (value + near[2]) & 255
    target[:] = done


def resize(pixels: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[np.float32]:
    """[height, width, channels] by bilinear interpolation between pixel centres."""
    out = pixels.astype(np.float32)
    for axis, size in ((0, height), (1, width)):
        old = out.shape[axis]
        if old == size:
            continue
        place = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(place).astype(np.intp)
        shape = [1, 1, 1]
        shape[axis] = size
        weight = (place - low).astype(np.float32).reshape(shape)
        high = np.minimum(low + 1, old - 1)
        out = out.take(low, axis) * (1 - weight) + out.take(high, axis) * weight
    return out


def fit(
    pixels: Pixels, shape: tuple[int | None, ...], dtype: np.dtype[Any], mean: float, std: float
) -> npt.NDArray[Any]:
    """A picture as a model input of `shape` (None = free), which decides size, channels and their place.

    A free height or width follows from the other one, so that the picture keeps its proportions. Float inputs
    get `(pixel / 255 - mean) / std`, integer inputs the pixels 0 to 255. Raises UserError if the shape is
    none of a picture.
    """
    if not 2 <= len(shape) <= 4:
        raise UserError(f"a picture does not fit an input of {len(shape)} dimensions")
    if len(shape) == 2:
        channel_axis, height, width = -1, shape[0], shape[1]
    elif shape[-3] in (1, 3):
        channel_axis, height, width = len(shape) - 3, shape[-2], shape[-1]
    elif shape[-1] in (1, 3):
        channel_axis, height, width = len(shape) - 1, shape[-3], shape[-2]
    else:
        raise UserError(f"an input of shape {list(shape)} has no axis of 1 or 3 colours; feed a .npy file")
    colours = 1 if channel_axis < 0 else shape[channel_axis]
    tall, wide = pixels.shape[:2]
    height = height or (round(tall * width / wide) if width else tall)
    width = width or max(1, round(wide * height / tall))
    scaled = resize(pixels, max(1, height), width)
    if colours == 1 and scaled.shape[2] == 3:
        scaled = scaled @ np.array([[0.299], [0.587], [0.114]], np.float32)
    elif colours == 3 and scaled.shape[2] == 1:
        scaled = scaled.repeat(3, axis=2)
    values = (scaled / 255 - mean) / std if dtype.kind == "f" or dtype.num >= 256 else scaled.round()
    if channel_axis < 0:
        return values[..., 0].astype(dtype)
    if channel_axis == len(shape) - 3:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values.reshape((1,) * (len(shape) - 3) + values.shape).astype(dtype))
