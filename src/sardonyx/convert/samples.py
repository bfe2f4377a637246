"""Reads a sample of inputs: an array, a data frame, a mapping, or a file of them.

Decides nothing of which input of a model gets what; a framework's file does.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.files import no_file
from sardonyx.base.stored import read_npy, read_npz
from sardonyx.convert.framework import Array, ConvertError

_EXACT = 2.0**53
"""Whole numbers below it are floats too."""
FORMATS = ".npz, .npy, .csv, .json or .parquet"


def sampled(sample: Any) -> dict[str, Array] | None:
    """Inputs by name; "" is the name of a single nameless one. ConvertError if it cannot be read."""
    if sample is None:
        return None
    if isinstance(sample, str | Path):
        return _read(Path(sample))
    if hasattr(sample, "columns") and hasattr(sample, "to_numpy"):
        return {str(name): _column(sample[name]) for name in sample.columns}
    if isinstance(sample, Mapping):
        return {str(name): np.asarray(value) for name, value in sample.items()}
    if isinstance(sample, tuple):
        return {f"{at}": np.asarray(value) for at, value in enumerate(sample)}
    if hasattr(sample, "toarray"):
        return {"": sample.toarray()}
    return {"": np.asarray(sample)}


def _column(column: Any) -> Array:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array(list(values), object)


def _read(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise ConvertError(f"the sample: {no_file(path)}; give {FORMATS}")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConvertError(f"the sample {path} has an unknown format; give {FORMATS}")
    try:
        return reader(path)
    except (ValueError, OSError, csv.Error) as error:
        raise ConvertError(f"the sample {path} cannot be read: {error}") from error


def _npz(path: Path) -> dict[str, Array]:
    return {name: _as_objects(array) for name, array in read_npz(path).items()}


def _npy(path: Path) -> dict[str, Array]:
    return {"": _as_objects(read_npy(path))}


def _as_objects(array: Array) -> Array:
    return array.astype(object) if array.dtype.kind in "US" else array


def _csv(path: Path) -> dict[str, Array]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise ValueError("it has no row below its header")
    short = next((at for at, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if short is not None:
        raise ValueError(f"line {short + 1} has {len(rows[short])} cells, the header {len(rows[0])}")
    return {name: _cells([row[at] for row in rows[1:]]) for at, name in enumerate(rows[0])}


def _cells(cells: list[str]) -> Array:
    try:
        numbers = np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError:
        return np.array(cells, object)
    if not (np.abs(numbers) >= _EXACT).any():
        return numbers
    with suppress(ValueError):
        return np.array([int(cell) for cell in cells])
    return numbers


def _json(path: Path) -> dict[str, Array]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(data, list) and data and isinstance(data[0], dict):
        data = {name: [row.get(name) for row in data] for name in data[0]}
    if not isinstance(data, list | dict):
        raise ValueError("it holds neither a list nor columns by name")
    return {"": np.asarray(data)} if isinstance(data, list) else {k: _values(v) for k, v in data.items()}


def _values(values: Any) -> Array:
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.array(values, object)


def _parquet(path: Path) -> dict[str, Array]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConvertError("reading .parquet needs pyarrow; pip install pyarrow") from error
    return {name: _values(column) for name, column in parquet.read_table(path).to_pydict().items()}


_READERS = {".npz": _npz, ".npy": _npy, ".csv": _csv, ".json": _json, ".parquet": _parquet}
