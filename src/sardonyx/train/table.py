"""Reads a table and decides what each column is: a number, a category, a date, a text, or of no use.

Fits nothing; what it decides is shown, and the user's word wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from sardonyx.base.cells import MISSING, distinct
from sardonyx.base.dataclass import asdict
from sardonyx.base.digits import LARGEST, lost_digits
from sardonyx.base.files import no_file
from sardonyx.errors import SardonyxError
from sardonyx.train.cells import read_csv
from sardonyx.train.dates import as_texts, is_iso
from sardonyx.train.days import are_compact, are_dates, how_of, moments

KINDS = ("number", "category", "date", "text", "ignored")
MOST_CATEGORIES, FEW_NUMBERS = 50, 10
WORDS_OF_A_TEXT = 3.0
ISO_DATE = "read inside the model"
WITH_SIGNS = re.compile(r"[^\w\s]{0,3}\s?[+-]?\d[\d.,' ]*\s?([^\d\s]{0,3}|[A-Z]{3})")
PARTS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week", "hour": "hour"}
CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?")
CODE = r"\s*0\d+\s*"


class TrainError(SardonyxError):
    """A table cannot be trained on; the message says what, where and what to do."""


@dataclass(frozen=True)
class Column:
    """A column: what it is, and why it is so if that is not plain."""

    name: str
    kind: str
    distinct: int
    missing: int
    why: str = ""


def read(source: Any, query: str | None = None) -> pandas.DataFrame:
    """A data frame of a .csv, .parquet or DuckDB file, with all cells of a CSV as texts, or of what is one.

    `query` is asked of a DuckDB file, or of any file under the name `data`. Columns have texts as names,
    no two the same.
    """
    frame = _of_file(Path(source), query) if isinstance(source, str | Path) else _of_object(source)
    names = distinct([_name(name) for name in frame])
    if names != list(frame):
        frame.columns = pandas.Index(names)
    return frame


def _name(given: Any) -> str:
    """The name of a column; of several levels, those that say anything; "" if nothing does."""
    levels = given if isinstance(given, tuple) else (given,)
    said = ["" if level is None or level != level else str(level) for level in levels]
    return " ".join(filter(str.strip, said))


def _of_object(source: Any) -> pandas.DataFrame:
    """A copy of a data frame of pandas, Polars, Arrow or DuckDB."""
    frame = source.copy() if isinstance(source, pandas.DataFrame) else None
    for name in ("to_pandas", "df"):
        if frame is None and hasattr(source, name):
            frame = getattr(source, name)()
    if not isinstance(frame, pandas.DataFrame):
        raise TrainError(
            f"a {type(source).__name__} is no table; give a file, or a data frame, "
            "as pandas.DataFrame makes one"
        )
    return frame


def _of_file(path: Path, query: str | None) -> pandas.DataFrame:
    if not path.is_file():
        raise TrainError(no_file(path))
    try:
        if query is not None or path.suffix in (".duckdb", ".db"):
            return _queried(path, query)
        if path.suffix == ".parquet":
            return pandas.read_parquet(path)
        return read_csv(path)
    except TrainError:
        raise
    except ImportError as error:
        raise TrainError(f"reading {path.name} needs {error.name}; pip install {error.name}") from error
    except Exception as error:
        raise TrainError(f"{path} cannot be read as a table: {error}") from error


def _queried(path: Path, query: str | None) -> pandas.DataFrame:
    import duckdb

    if query is None:
        raise TrainError(f"{path} is a database; say what to ask it with --query")
    if path.suffix in (".duckdb", ".db"):
        with duckdb.connect(str(path), read_only=True) as database:
            return _rows(database, query)
    with duckdb.connect() as database:
        reader = database.read_parquet if path.suffix == ".parquet" else database.read_csv
        reader(str(path)).create_view("data")
        return _rows(database, query)


def _rows(database: Any, query: str) -> pandas.DataFrame:
    relation = database.sql(query)
    if relation is None:
        raise TrainError(f"--query {query!r} gives no rows; SELECT some")
    frame: pandas.DataFrame = relation.df()
    return frame


def described(frame: pandas.DataFrame, given: Mapping[str, str], ignored: Sequence[str]) -> list[Column]:
    """What every column is; TrainError if the user names an unknown column or kind."""
    for name in (*given, *ignored):
        if name not in frame:
            raise TrainError(f"the table has no column {name!r}; it has {', '.join(map(str, frame))}")
    strange = next((kind for kind in given.values() if kind not in KINDS), None)
    if strange is not None:
        raise TrainError(f"{strange!r} is not a kind of column; there are {', '.join(KINDS)}")
    rows = []
    for name in frame:
        found = _described(str(name), frame[name])
        if name in ignored:
            found = replace(found, kind="ignored", why="as told")
        elif name in given:
            found = replace(found, kind=given[str(name)], why="as told")
            if found.kind == "date":
                present = frame[name][~absent(frame[name])]
                found = replace(found, why=_why_of_date(present))
        rows.append(found)
    return rows


def _described(name: str, values: pandas.Series) -> Column:
    present = values[~absent(values)]
    try:
        count, missing = int(present.nunique()), int(len(values) - len(present))
    except TypeError:
        kind = type(present.iloc[0]).__name__
        return Column(
            name, "ignored", 0, int(len(values) - len(present)), f"holds more than one thing, as {kind}"
        )

    def row(kind: str, why: str = "") -> Column:
        return Column(name, kind, count, missing, why)

    if count == 1 and missing:
        return row("category", "has one value or none")
    if count <= 1:
        return row("ignored", "has one value only" if count else "is empty")
    if pandas.api.types.is_bool_dtype(present):
        return row("category")
    if pandas.api.types.is_datetime64_any_dtype(present):
        return row("date", _why_of_date(present))
    if present.dtype.kind == "m":
        return row("number", "durations, in seconds")
    if pandas.api.types.is_complex_dtype(present):
        return row("ignored", "holds complex numbers")
    numbers = None if are_codes(present) else _numbers(present)
    if numbers is not None and are_compact(present):
        day = moments(present.head(1)).iloc[0]
        return row("date", f"read as {day:%Y-%m-%d} and so on; {_why_of_date(present)}")
    if numbers is not None:
        is_running = count == len(present) and bool((np.diff(numbers) == 1).all())
        if is_running and len(present) > 2:
            return row("ignored", "counts the rows")
        return row("number", _why_of_number(numbers))
    texts = present.astype(str)
    sample = texts.head(200)
    if are_dates(sample):
        return row("date", _why_of_date(present))
    words = float(sample.str.split().str.len().mean())
    if words >= WORDS_OF_A_TEXT and count > MOST_CATEGORIES:
        return row("text")
    if count > 0.9 * len(present) and count > MOST_CATEGORIES:
        return row("ignored", f"has another value in nearly every row{_clock(sample) or _signs(sample)}")
    return row("category", _why_of_category(count, sample))


def _why_of_number(numbers: np.ndarray[Any, Any]) -> str:
    told = lost_digits(numbers)
    return told and f"{told}; names of things are better told as --type COLUMN=category, or left out"


def _why_of_category(distinct: int, sample: pandas.Series) -> str:
    if are_codes(sample):
        return "digits with leading zeros name things"
    if clock := _clock(sample):
        return clock.removeprefix("; ")
    if distinct > FEW_NUMBERS and (signs := _signs(sample)):
        return signs.removeprefix("; ")
    return f"{distinct} of them; rare ones are taken together" if distinct > MOST_CATEGORIES else ""


def _clock(sample: pandas.Series) -> str:
    if not sample.map(lambda text: CLOCK.fullmatch(text.strip()) is not None).all():
        return ""
    return f"; times as {sample.iloc[0]!r}: as numbers of hours they would teach more"


def _signs(sample: pandas.Series) -> str:
    if not sample.map(lambda text: WITH_SIGNS.fullmatch(text.strip()) is not None).all():
        return ""
    return f"; numbers with signs, as {sample.iloc[0]!r}: as plain numbers they would teach more"


def _why_of_date(present: pandas.Series) -> str:
    if pandas.api.types.is_datetime64_any_dtype(present) or is_iso(present):
        return ISO_DATE
    first = how_of(present).first
    how = f", the {first} first" if first else ""
    return f"its parts are asked for{how}; ISO texts would be read"


def absent(values: pandas.Series) -> pandas.Series:
    """Whether a cell holds nothing."""
    missing: pandas.Series = values.isna()
    if values.dtype == object or pandas.api.types.is_string_dtype(values):
        missing = missing | values.astype(str).str.strip().str.lower().isin(MISSING)
    return missing


def are_codes(values: pandas.Series) -> bool:
    """Whether these are digits that name things, as 01067: some have leading zeros."""
    if pandas.api.types.is_numeric_dtype(values):
        return False
    return bool(values.astype(str).str.fullmatch(CODE).any())


def _numbers(values: pandas.Series) -> np.ndarray[Any, Any] | None:
    try:
        return np.asarray(pandas.to_numeric(values), np.float64)
    except (ValueError, TypeError):
        return None


def prepared(frame: pandas.DataFrame, columns: Sequence[Column]) -> tuple[pandas.DataFrame, list[Column]]:
    """The columns as a model takes them: float32 with NaN, texts with "", dates as their parts."""
    made: dict[str, Any] = {}
    kinds: list[Column] = []
    for column in columns:
        values = frame[column.name]
        if column.kind == "number":
            made[column.name] = _floats(column.name, values)
            kinds.append(column)
        elif column.kind in ("category", "text"):
            made[column.name] = values.astype(object).where(~absent(values), "").astype(str).astype(object)
            kinds.append(column)
        elif column.kind == "date":
            for name, part in _parts(column.name, values):
                made[name] = part
                kinds.append(Column(name, "number", int(part.nunique()), int(part.isna().sum()), "of a date"))
    return pandas.DataFrame(made, index=frame.index), kinds


def _floats(name: str, values: pandas.Series) -> pandas.Series:
    """Numbers as a model takes them; TrainError if they are too large for that."""
    if values.dtype.kind == "m":
        values = values.dt.total_seconds()
    numbers = pandas.to_numeric(values.where(~absent(values)), errors="coerce").astype(np.float64)
    too_large = numbers.abs() > LARGEST
    if too_large.any():
        raise TrainError(
            f"{int(too_large.sum())} numbers of the column {name!r} are infinite or beyond float32, as "
            f"{numbers[too_large].iloc[0]:g}; take them out, scale the column, or leave it out with --ignore"
        )
    return numbers.astype(np.float32)


def parts_of_dates(inputs: pandas.DataFrame, columns: Sequence[Column]) -> dict[str, list[str]]:
    """For each date that the model reads itself, the parts that stand among the inputs."""
    found = {
        column.name: [part for part in PARTS if f"{column.name}.{part}" in inputs]
        for column in columns
        if column.kind == "date" and column.why == ISO_DATE
    }
    return {name: parts for name, parts in found.items() if parts}


def reading(frame: pandas.DataFrame, columns: Sequence[Column]) -> dict[str, Any]:
    """How the columns were read, for JSON: texts that are missing, conventions of dates in parts."""
    dates = {
        column.name: asdict(how_of(frame[column.name]))
        for column in columns
        if column.kind == "date" and column.why != ISO_DATE
    }
    return {"missing": list(MISSING), "dates": dates}


def with_dates(
    inputs: pandas.DataFrame, frame: pandas.DataFrame, columns: Sequence[Column]
) -> pandas.DataFrame:
    """The inputs of the same rows of the frame, with dates as texts in place of their parts."""
    parts = parts_of_dates(inputs, columns)
    gone = [f"{name}.{part}" for name, of_date in parts.items() for part in of_date]
    return inputs.drop(columns=gone).assign(**{name: as_texts(frame[name]) for name in parts})


def _parts(name: str, values: pandas.Series) -> list[tuple[str, pandas.Series]]:
    dates = moments(values.where(~absent(values)))
    found = []
    for part, attribute in PARTS.items():
        numbers = getattr(dates.dt, attribute).astype(np.float32)
        if numbers.nunique() > 1:
            found.append((f"{name}.{part}", numbers))
    return found
