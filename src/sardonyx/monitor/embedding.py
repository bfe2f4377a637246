"""Pictures, texts and large tensors as short vectors whose statistics tell when their kind changes.

Decides what a vector holds; deterministic, no model needed. Must not know how vectors are compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

GRID = 4
_TRIGRAMS = 64
_MAX_CHARACTERS = 4096


def of_arrays(rows: npt.NDArray[Any]) -> Vectors:
    """[rows, features] of tensors [rows, ...]: moments, shares of odd values, and of pictures a small one.

    Features: mean, standard deviation, least, largest, share of zeros, share of what is not a finite number,
    mean step between neighbours along the last axis (sharpness); then a grid of 4 x 4 block means of the
    last two axes (of the two before the channels for [..., H, W, 1|3|4]).
    """
    count = rows.shape[0]
    plain = rows.astype(np.float32, copy=False)
    flat = plain.reshape(count, -1) if plain.size else np.zeros((count, 1), np.float32)
    finite = np.isfinite(flat)
    clean = np.where(finite, flat, 0)
    step = np.abs(np.diff(clean, axis=1)).mean(1) if clean.shape[1] > 1 else np.zeros(count, np.float32)
    columns = [
        clean.mean(1),
        clean.std(1),
        clean.min(1),
        clean.max(1),
        (clean == 0).mean(1),
        1 - finite.mean(1),
    ]
    return np.column_stack(
        [*columns, step, _grid(clean.reshape(plain.shape) if plain.size else clean)]
    ).astype(np.float32)


def of_texts(texts: Sequence[str]) -> Vectors:
    """[texts, features]: log length, shares of kinds of characters, hashed trigrams scaled to length 1."""
    out = np.zeros((len(texts), 6 + _TRIGRAMS), np.float32)
    for row, text in zip(out, texts, strict=True):
        short = text[:_MAX_CHARACTERS]
        size = max(1, len(short))
        row[0] = np.log1p(len(text))
        row[1] = sum(c.isalpha() for c in short) / size
        row[2] = sum(c.isdigit() for c in short) / size
        row[3] = sum(c.isspace() for c in short) / size
        row[4] = sum(c.isupper() for c in short) / size
        row[5] = sum(ord(c) > 127 for c in short) / size
        grams = row[6:]
        lower = short.lower()
        for i in range(len(lower) - 2):
            grams[zlib.crc32(lower[i : i + 3].encode()) % _TRIGRAMS] += 1
        norm = float(np.linalg.norm(grams))
        if norm:
            grams /= norm
    return out


def _grid(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    count = rows.shape[0]
    if rows.ndim < 3 or 0 in rows.shape:
        return np.zeros((count, 0), np.float32)
    planes = rows
    if rows.ndim >= 4 and rows.shape[-1] in (1, 3, 4) and rows.shape[-3] not in (1, 3, 4):
        planes = rows.mean(-1)
    height, width = planes.shape[-2:]
    merged = planes.reshape(count, -1, height, width).mean(1)
    tops = np.arange(GRID) * height // GRID
    lefts = np.arange(GRID) * width // GRID
    if height < GRID or width < GRID:
        return np.zeros((count, 0), np.float32)
    sums = np.add.reduceat(np.add.reduceat(merged, tops, axis=1), lefts, axis=2)
    area = np.diff([*tops, height])[:, None] * np.diff([*lefts, width])[None, :]
    means: Vectors = (sums / area).reshape(count, -1).astype(np.float32)
    return means
