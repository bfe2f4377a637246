"""Inputs of models that read tables: one matrix or one input for each column, from a sample or drawn.

Shared by the frameworks for tables; must not know any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.base.categories import places
from sardonyx.base.digits import lost_digits
from sardonyx.convert.framework import (
    ROWS,
    Array,
    Case,
    ConvertError,
    Feeds,
    Request,
    RowsError,
    batches,
    dice,
)
from sardonyx.convert.words import DOUBLE, SAMPLE

SHOWN = 8


@dataclass(frozen=True)
class Column:
    """A feature: its name, whether it is text, and values that it may have, as far as a model tells.

    `missing` is what the framework has where a text is missing, which ONNX has as the empty text. If
    `is_listed`, the model knows no number but those `values`: they are drawn as they are. If `is_dropped`,
    nothing depends on it. `categories` are what the model knows as the numbers 0, 1 and so on.
    """

    name: str
    is_text: bool = False
    values: Sequence[Any] = ()
    is_listed: bool = False
    is_dropped: bool = False
    missing: Any = ""
    centre: float = 0.0
    spread: float = 1.0
    categories: Sequence[Any] = ()


@dataclass(frozen=True)
class Table:
    """Features of a model, and whether each is an input of its own or all are one matrix `x`."""

    columns: Sequence[Column]
    separate: bool
    named: bool = False

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [column.name for column in self.columns]

    def feeds(self, request: Request) -> tuple[Feeds, bool]:
        """The inputs of the ONNX model from the sample, else drawn; and whether they were drawn."""
        rows = (
            _sampled(request.sample, self)
            if request.sample is not None
            else _drawn(self.columns, whole=self.named)
        )
        number = np.float64 if request.double else np.float32
        typed = [_typed(row, column, number) for row, column in zip(rows, self.columns, strict=True)]
        if self.separate:
            feeds = {c.name: row[:, None] for c, row in zip(self.columns, typed, strict=True)}
        else:
            feeds = {"x": np.stack(typed, 1)}
        return feeds, request.sample is None

    def rounded(self, request: Request) -> tuple[str, ...]:
        """A note for each column with whole numbers that the type that it is read as cannot hold."""
        number, more = (np.float64, "") if request.double else (np.float32, f"; {DOUBLE} reads float64")
        known = (
            _sampled(request.sample, self)
            if request.sample is not None
            else [np.array(column.values, object) for column in self.columns]
        )
        told = {
            column.name: lost_digits(_whole(row, column), number)
            for column, row in zip(self.columns, known, strict=True)
            if not column.is_text and not column.categories
        }
        return tuple(f"{name}: {said}{more}" for name, said in told.items() if said)

    def rows(self, feeds: Feeds) -> Any:
        """The same rows as the framework takes them: a data frame if it learned from one, else a matrix."""
        wide = [part[:, at] for part in feeds.values() for at in range(part.shape[1])]
        parts = [_plain(part, column) for column, part in zip(self.columns, wide, strict=True)]
        if not self.named:
            return np.stack([_object(part, parts) for part in parts], 1)
        import pandas

        rows = zip(self.columns, parts, strict=True)
        return pandas.DataFrame({column.name: _named(column, part) for column, part in rows})

    def taken(self, feeds: Feeds) -> Feeds:
        """Those inputs that the ONNX model has: without columns that are dropped."""
        dropped = {column.name for column in self.columns if column.is_dropped and self.separate}
        return {name: part for name, part in feeds.items() if name not in dropped}

    def asked(self, feeds: Feeds, call: Callable[[Feeds], list[Array]], *, drawn: bool) -> list[Case]:
        """What the framework answers to the rows, and to the first alone; RowsError if it cannot."""
        try:
            return [Case(self.taken(part), call(part)) for part in batches(feeds)]
        except ConvertError:
            raise
        except Exception as error:
            what, do = (
                ("rows drawn at random", f"give {SAMPLE}, with rows that it was made for")
                if drawn
                else ("the sample", "give rows that it takes")
            )
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise RowsError(f"the model itself fails on {what}: {said}; {do}") from error


def _named(column: Column, part: Array) -> Any:
    """A column of a data frame, of categories if it is one of those."""
    if not column.categories:
        return part
    import pandas

    count = len(column.categories)
    places = [int(place) if 0 <= place < count else -1 for place in part]
    return pandas.Categorical.from_codes(places, categories=list(column.categories))


def told(categories: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """A note for each column of categories: which number stands for which."""
    return tuple(f"{name} is a number: {_numbered(known)}" for name, known in categories.items())


def _numbered(known: Sequence[Any]) -> str:
    shown = [f"{at} = {text}" for at, text in enumerate(known[:SHOWN])]
    return ", ".join([*shown, *(["..."] if len(known) > SHOWN else [])])


def _plain(part: Array, column: Column) -> Array:
    """Texts as the framework has them; numbers in float64, those that stand for listed ones as these are."""
    if part.dtype == object:
        return part if column.missing == "" else np.where(part == "", column.missing, part)
    if not column.is_listed:
        return part.astype(np.float64)
    meant = part.astype(np.float64)
    for value in column.values:
        meant[part == part.dtype.type(value)] = value
    return meant


def _object(part: Array, parts: Sequence[Array]) -> Array:
    return part.astype(object) if any(other.dtype == object for other in parts) else part


def _sampled(sample: Mapping[str, Array], table: Table) -> list[Array]:
    if len(sample) == 1 and table.names != list(sample):
        (matrix,) = sample.values()
        if matrix.ndim == 1:
            matrix = matrix[:, None] if len(table.columns) == 1 else matrix[None]
        if matrix.ndim != 2 or matrix.shape[1] != len(table.columns):
            raise ConvertError(
                f"the sample has shape {list(matrix.shape)}; the model reads {len(table.columns)} columns"
            )
        if matrix.dtype.kind in "biuf":
            return list(matrix.T)
        return [_placed(row, column) for row, column in zip(matrix.T, table.columns, strict=True)]
    count = max(map(len, sample.values()), default=0)
    sample = {**{c.name: np.full(count, np.nan) for c in table.columns if c.is_dropped}, **sample}
    missing = [name for name in table.names if name not in sample]
    if missing and len(sample) == len(table.columns) and not table.named:
        parts = [np.asarray(part).reshape(len(part)) for part in sample.values()]
        return [_placed(row, column) for row, column in zip(parts, table.columns, strict=True)]
    if missing:
        raise ConvertError(
            f"the sample has no column {missing[0]!r}; the model reads {', '.join(table.names)}; "
            f"the sample has {', '.join(sample)}"
        )
    return [_placed(np.asarray(sample[column.name]).reshape(-1), column) for column in table.columns]


def _placed(row: Array, column: Column) -> Array:
    return np.array(places(row, column.categories)) if column.categories else row


def _typed(row: Array, column: Column, number: type[np.generic]) -> Array:
    if column.is_dropped:
        return np.zeros(len(row), number)
    if column.is_text:
        return np.array(["" if _is_missing(value) else str(value) for value in row], object)
    try:
        return np.array([np.nan if value is None else value for value in row], number)
    except (TypeError, ValueError) as error:
        raise ConvertError(
            f"the column {column.name!r} of the sample is not a number ({error}); the model knows it as one, "
            "of categories of pandas as their places (.cat.codes)"
        ) from error


def _whole(row: Array, column: Column) -> Array:
    """The numbers of a column of the sample before they are rounded: integers as they are, else float64."""
    if row.dtype.kind in "iu":
        return row
    numbers = [value for value in row.tolist() if value is not None]
    if all(isinstance(value, int) for value in numbers):
        return np.array(numbers, object)
    return _typed(row, column, np.float64)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _drawn(columns: Sequence[Column], *, whole: bool) -> list[Array]:
    """Rows of values; if `whole`, categories are numbers that stand for some, and now and then none."""
    random = dice()
    return [
        _places(len(column.categories), random) if whole and column.categories else _draw(column, random)
        for column in columns
    ]


def _places(count: int, random: np.random.Generator) -> Array:
    drawn = random.integers(-1, count, ROWS).astype(np.float64)
    return np.where(drawn < 0, np.nan, drawn)


def _draw(column: Column, random: np.random.Generator) -> Array:
    """Values the model knows of; numbers are moved off them, since they may be borders."""
    values = np.array(list(column.values), object)
    if column.is_text:
        return (
            values[random.integers(0, len(values), ROWS)] if len(values) else np.array(["a"] * ROWS, object)
        )
    if not len(values):
        return column.centre + column.spread * random.normal(size=ROWS)
    if column.is_listed:
        return values[random.integers(0, len(values), ROWS)].astype(np.float64)
    known = np.sort(values.astype(np.float64))
    known = known[np.isfinite(known)]
    gap = (known[-1] - known[0]) / max(len(known), 4) or abs(known[0]) * 0.5 or 1.0
    return known[random.integers(0, len(known), ROWS)] + gap * random.normal(size=ROWS)
