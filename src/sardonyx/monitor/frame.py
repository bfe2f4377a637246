"""Columns of observations, as monitors compare them: numbers, categories, texts, vectors.

Decides of which kind a column is and what is derived from lists. Must not know files or distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.monitor.embedding import of_arrays, of_texts

NUMBER, CATEGORY, TEXT, VECTOR = "number", "category", "text", "vector"
MAX_SPREAD = 64
_FEW = 20
_LONG_TEXT = 24
_LISTS = (list, tuple, np.ndarray)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One feature over rows.

    `values` holds float64 (number), str or None (category, text), or float32 [rows, features] (vector); NaN
    and None are nulls. `raw` is how many rows had another type.
    """

    kind: str
    values: Array
    raw: int = 0

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def present(self) -> Array:
        """The rows that are not null."""
        if self.kind == VECTOR:
            kept: Array = self.values[np.isfinite(self.values).all(1)]
            return kept
        return self.values[~self.nulls()]

    def nulls(self) -> npt.NDArray[np.bool_]:
        """Which rows are null."""
        if self.kind == NUMBER:
            return np.asarray(np.isnan(self.values))
        if self.kind == VECTOR:
            return np.asarray(np.isnan(self.values).any(1))
        return np.array([value is None or value == "" for value in self.values], np.bool_)

    def embedded(self) -> Array:
        """[rows, features] of the rows that are not null: a text's vector, a vector itself."""
        return of_texts(self.present().tolist()) if self.kind == TEXT else self.present()


Frame = dict[str, Column]


def column_of(values: Sequence[Any] | Array, kind: str | None = None) -> Column:
    """The column of plain values; booleans and texts of few kinds are categories if `kind` is None."""
    array = np.asarray(values) if not isinstance(values, np.ndarray) else values
    if array.ndim == 2:
        return Column(VECTOR, array.astype(np.float32))
    if array.dtype.kind in "fiu" and kind in (None, NUMBER):
        return Column(NUMBER, array.astype(np.float64))
    items = [_plain(item) for item in array.tolist()]
    if kind is None:
        kind = _kind_of(items)
    if kind != NUMBER:
        return Column(kind, np.array([None if item is None else str(item) for item in items], object))
    numbers, odd = np.full(len(items), np.nan), 0
    for i, item in enumerate(items):
        try:
            numbers[i] = np.nan if item is None else float(item)
        except ValueError:
            odd += 1
    return Column(NUMBER, numbers, odd)


def frame_of(columns: Mapping[str, Sequence[Any] | Array], kinds: Mapping[str, str] | None = None) -> Frame:
    """Columns by name; lists of up to 64 numbers are spread to `name[0]`, longer ones are vectors.

    Lists of several lengths are vectors of their statistics, those of texts one text. A list column of an
    output (`out.`) also gives `name.top`, the place of its greatest, as a category, and `name.max`.
    """
    frame: Frame = {}
    for name, values in columns.items():
        wanted = (kinds or {}).get(name)
        array = _matrix(values)
        if array is None:
            frame[name] = _ragged(values, wanted) or column_of(values, wanted)
            continue
        width = array.shape[1]
        if width == 1:
            frame[name] = column_of(array[:, 0], wanted)
        elif width > MAX_SPREAD or name.endswith("@summary"):
            frame[name] = Column(VECTOR, array.astype(np.float32))
        else:
            for i in range(width):
                frame[f"{name}[{i}]"] = Column(NUMBER, array[:, i])
        if name.startswith("out.") and width > 1 and len(array):
            clean = np.where(np.isnan(array), -np.inf, array)
            given = np.asarray(~np.isnan(array).all(1))
            tops = [str(i) if known else None for i, known in zip(clean.argmax(1), given, strict=True)]
            frame[f"{name}.top"] = column_of(tops, CATEGORY)
            frame[f"{name}.max"] = Column(NUMBER, np.where(given, clean.max(1), np.nan))
    return frame


def _matrix(values: Sequence[Any] | Array) -> npt.NDArray[np.float64] | None:
    """[rows, width] if the values are lists of numbers of one length (None is a row of NaN), else None."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return values.reshape(len(values), -1).astype(np.float64) if values.ndim > 1 else None
    widths = {len(item) for item in values if isinstance(item, list | tuple | np.ndarray)}
    if len(widths) != 1 or any(isinstance(item, str) for item in values):
        return None
    width = widths.pop()
    rows = [[np.nan] * width if item is None else item for item in values]
    try:
        return np.array(rows, np.float64).reshape(len(rows), width)
    except (TypeError, ValueError):
        return None


def _ragged(values: Sequence[Any] | Array, kind: str | None) -> Column | None:
    """The column of lists that are not all one length (None is a null); None if there are other values."""
    if not all(item is None or isinstance(item, _LISTS) for item in values):
        return None
    rows = [None if item is None or not len(item) else item for item in values]
    if not any(row is not None for row in rows):
        return None
    if any(isinstance(item, str | bytes) for row in rows if row is not None for item in row):
        return column_of(
            [None if row is None else " ".join(map(str, map(_plain, row))) for row in rows], kind
        )
    vectors = [
        None if row is None else np.append(of_arrays(np.array([row]))[0], np.log1p(len(row))) for row in rows
    ]
    width = next(len(vector) for vector in vectors if vector is not None)
    blank = np.full(width, np.nan)
    return Column(VECTOR, np.stack([blank if v is None else v for v in vectors]).astype(np.float32))


def _kind_of(items: Sequence[Any]) -> str:
    present = [item for item in items if item is not None]
    if present and all(isinstance(item, int | float) and not isinstance(item, bool) for item in present):
        return NUMBER
    texts = [str(item) for item in present]
    if len(set(texts)) <= max(_FEW, len(texts) // 20) or not texts:
        return CATEGORY
    return TEXT if sum(map(len, texts)) > _LONG_TEXT * len(texts) or _worded(texts) else CATEGORY


def _worded(texts: Sequence[str]) -> bool:
    return sum(" " in text.strip() for text in texts) * 2 > len(texts)


def _plain(item: Any) -> Any:
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    if isinstance(item, float) and np.isnan(item):
        return None
    return item
