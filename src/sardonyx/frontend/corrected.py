"""Operators of which ONNX's reference evaluator gives something else than their specification says.

Decides what it runs in their place. Imports its classes only where a model falls back.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sliced(
    x: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> Array:
    """x[start:end:step]; where a step is negative, a start before the axis is its first element.

    Raises ValueError if a step is 0 or the operands are not one number for each axis.
    """
    on = range(starts.size) if axes is None else axes.tolist()
    by = [1] * starts.size if steps is None else steps.tolist()
    at = [slice(None)] * x.ndim
    for axis, start, end, step in zip(on, starts.tolist(), ends.tolist(), by, strict=True):
        n = x.shape[axis]
        first, last = (i + n if i < 0 else i for i in (start, end))
        if step < 0:
            first, last = min(max(first, 0), n - 1), min(max(last, -1), n - 1)
        else:
            first, last = max(first, 0), max(last, 0)
        at[axis] = slice(first, None if last < 0 else last, step)
    return x[tuple(at)]


def decoded(encoded: Array, pixel_format: str) -> Array:
    """The picture as [height, width, 3 or 1] uint8, whatever channels its file has.

    Raises ImportError without Pillow and ValueError if the format is unknown.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("ImageDecoder reads pictures with Pillow: pip install pillow") from error
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise ValueError(f"pixel_format={pixel_format!r} is not supported")
    with Image.open(BytesIO(encoded.tobytes())) as picture:
        pixels = np.asarray(picture.convert("L" if pixel_format == "Grayscale" else "RGB"))
    if pixel_format == "Grayscale":
        return pixels[..., None]
    return pixels[..., ::-1] if pixel_format == "BGR" else pixels


@cache
def operators() -> tuple[type, ...]:
    """Classes for the evaluator in place of its own."""
    from onnx.reference.op_run import OpRun

    class Slice(OpRun):  # type: ignore[misc]
        def _run(self, *operands: Array) -> tuple[Array]:
            return (sliced(*operands),)

    class ImageDecoder(OpRun):  # type: ignore[misc]
        def _run(self, encoded: Array, pixel_format: str = "RGB") -> tuple[Array]:
            return (decoded(encoded, pixel_format),)

    return (Slice, ImageDecoder)
