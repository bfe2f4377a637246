"""Answers of a model for tables, for each row of a .csv: its own columns by name, or all as one matrix."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base.categories import places
from sardonyx.base.cells import READ, distinct, encoding_of, has_commas, header_of, is_missing, with_point
from sardonyx.base.moments import PARTS, Convention, moment, part
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.maker import Array, Feeds
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks.answer import Answer

SHOWN = 20
NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline of an ONNX file, such as `sardonyx convert` writes."""
    path = Path(model) if Path(model).is_file() else pull(model)
    session = sardonyx.InferenceSession(str(path))
    facts = session.get_modelmeta().custom_metadata_map
    columns: list[str] = json.loads(facts.get("columns", "[]"))
    categories: dict[str, list[str]] = json.loads(facts.get("categories", "{}"))
    read: dict[str, Any] = json.loads(facts.get(READ, "{}"))

    def run(source: Any) -> Answer:
        cells = dict(source if isinstance(source, Mapping) else table(source))
        if read:
            cells = _read(cells, read)
        for name in categories.keys() & cells.keys():
            cells[name] = places(cells[name], categories[name])
        feeds = _feeds(session.get_inputs(), cells, columns)
        outputs = [output.name for output in session.get_outputs()]
        answers = dict(zip(outputs, session.run(None, feeds), strict=True))
        count = len(next(iter(feeds.values())))
        rows = [{name: _plain(part[at]) for name, part in answers.items()} for at in range(count)]
        lines = ["  ".join(f"{name} {_short(part)}" for name, part in row.items()) for row in rows[:SHOWN]]
        more = [f"... {count - SHOWN} more"] if count > SHOWN else []
        return Answer("\n".join([*lines, *more]), rows)

    return run


def table(path: str | Path) -> dict[str, list[str]]:
    """The columns of a .csv by name; FetchError if it cannot be read."""
    source = Path(path)
    try:
        encoding = encoding_of(source)
        delimiter, _ = header_of(source, encoding)
        with source.open(newline="", encoding=encoding) as file:
            head, *rows = [row for row in csv.reader(file, delimiter=delimiter) if row] or [[]]
        if not rows:
            raise ValueError("it has no rows below a header")
        if any(len(row) != len(head) for row in rows):
            raise ValueError("not all of its lines have as many cells as its header")
    except (OSError, ValueError, csv.Error) as error:
        raise FetchError(f"{path} is not a table that can be read: {error}") from error
    columns = {name: [row[at] for row in rows] for at, name in enumerate(distinct(head))}
    if delimiter == ",":
        return columns
    return {
        name: [with_point(cell) for cell in cells] if has_commas(cells) else cells
        for name, cells in columns.items()
    }


def _read(cells: dict[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """The table as the training read it: texts that are missing as "", and parts of dates beside them."""
    found = dict(cells)
    for name, how in read["dates"].items():
        if name in cells:
            whens = [moment(str(cell), Convention(**how)) for cell in cells[name]]
            for one in PARTS:
                parts = ["" if when is None else part(when, one) for when in whens]
                found.setdefault(f"{name}.{one}", parts)
    for name in cells:
        found[name] = ["" if is_missing(cell) else cell for cell in cells[name]]
    return found


def _feeds(inputs: Any, table: Mapping[str, Any], columns: list[str]) -> Feeds:
    if len(inputs) == 1 and inputs[0].name not in table:
        names = columns or list(table)
        parts = [_column(table, name, inputs[0].type) for name in names]
        return {inputs[0].name: np.stack(parts, 1)}
    return {row.name: _column(table, row.name, row.type)[:, None] for row in inputs}


def _column(table: Mapping[str, Any], name: str, kind: str) -> Array:
    if name not in table:
        date, _, part = name.rpartition(".")
        split = (
            f"; the model takes the {part} of {date!r} as a number of its own"
            if date and date in table
            else ""
        )
        raise FetchError(f"the table has no column {name!r}; it has {', '.join(table)}{split}")
    cells = list(table[name])
    if kind not in NUMBERS:
        return np.array([str(cell) for cell in cells], object)
    try:
        return np.array([np.nan if is_missing(cell) else _number(cell) for cell in cells]).astype(
            NUMBERS[kind]
        )
    except ValueError as error:
        raise FetchError(f"the column {name!r} is not a number everywhere: {error}") from error


def _number(cell: Any) -> float:
    """As the training reads numbers: without the underscores that Python takes."""
    if isinstance(cell, str) and "_" in cell:
        raise ValueError(f"{cell!r} is a text")
    return float(cell)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_short(part) for part in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
