"""Baselines: what a model's inputs and outputs looked like when all was well, read from files.

Decides which formats there are and which column of a file belongs to which tensor. Must not know monitors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.stored import read_npz
from sardonyx.monitor.capture import Collection
from sardonyx.monitor.columns import SUMMARY
from sardonyx.monitor.embedding import of_arrays
from sardonyx.monitor.frame import Frame, frame_of
from sardonyx.monitor.needs import need

MAX_ROWS = 50_000
_PART = re.compile(r"(out\..+)\[(\d+)\]")
MAX_BYTES = 1 << 30
"""What a file may become in memory: a small one may hold the same text a million times."""


def read_baseline(
    path: Path,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    target: str = "",
    kinds: Mapping[str, str] | None = None,
) -> Frame:
    """The columns of a CSV, Parquet or npz file, at most 50,000 rows of it, named `in.` and `out.`.

    A column with the name of an input or output is its value; `out.p[0]`, `out.p[1]` and so on are lists of
    the output `p`. If no column has one and the model has one input, all columns but `target` are its
    features in their order. ValueError says what is wrong.
    """
    readers = {".csv": _read_table, ".parquet": _read_table, ".npz": _read_arrays}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path.name}: a baseline is a .csv, .parquet or .npz file")
    columns = reader(path)
    if not columns or not len(next(iter(columns.values()))):
        raise ValueError(f"{path.name}: no rows")
    return frame_of(_summarised(named(columns, inputs, outputs, target)), kinds)


def named(
    columns: Mapping[str, Any], inputs: Sequence[str], outputs: Sequence[str], target: str = ""
) -> dict[str, Any]:
    """Columns under the names that the payload log gives them."""
    out: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, values in columns.items():
        if name.startswith(("in.", "out.")):
            out[name] = values
        elif name in inputs:
            out[f"in.{name}"] = values
        elif name in outputs:
            out[f"out.{name}"] = values
        elif name != target:
            rest[name] = values
    if out or not rest:
        return out
    if len(inputs) == 1:
        return {f"in.{inputs[0]}[{i}]": values for i, values in enumerate(rest.values())}
    return {f"in.{name}": values for name, values in rest.items()}


def _summarised(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors too large for the payload log as the summaries that it keeps of them."""
    limit = Collection().max_elements
    return {
        **{n: v for n, v in columns.items() if not _large(v, limit)},
        **{n + SUMMARY: of_arrays(v) for n, v in columns.items() if _large(v, limit)},
    }


def _large(values: Any, limit: int) -> bool:
    return isinstance(values, np.ndarray) and values.ndim > 1 and math.prod(values.shape[1:]) > limit


def _read_table(path: Path) -> dict[str, Any]:
    need("duckdb", "reading a baseline")
    import duckdb

    source = "read_csv(?)" if path.suffix.lower() == ".csv" else "read_parquet(?)"
    limits = {"memory_limit": f"{MAX_BYTES}B", "temp_directory": ""}
    with duckdb.connect(":memory:", config={**limits, "threads": 2}) as connection:
        try:
            found = connection.execute(
                f"SELECT * FROM {source} USING SAMPLE reservoir({MAX_ROWS} ROWS) REPEATABLE (1)", [str(path)]
            )
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
        except duckdb.OutOfMemoryException:
            raise ValueError(f"{path.name}: its rows take more than {MAX_BYTES >> 20} MB") from None
        except duckdb.Error as error:
            raise ValueError(f"{path.name}: {error}") from error
    return _gathered({name: [row[i] for row in rows] for i, name in enumerate(names)})


def _gathered(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `out.p[0]`, `out.p[1]` and so on as one of lists, None where one of them is missing."""
    parts: dict[str, dict[int, Any]] = {}
    for name, values in columns.items():
        if found := _PART.fullmatch(name):
            parts.setdefault(found[1], {})[int(found[2])] = values
    whole = {
        name: [
            None if None in row else list(row)
            for row in zip(*(found[at] for at in range(len(found))), strict=True)
        ]
        for name, found in parts.items()
        if len(found) > 1 and found.keys() == set(range(len(found))) and name not in columns
    }
    rest = {
        name: values
        for name, values in columns.items()
        if (found := _PART.fullmatch(name)) is None or found[1] not in whole
    }
    return rest | whole


def _read_arrays(path: Path) -> dict[str, Any]:
    try:
        return {name: rows[:MAX_ROWS] for name, rows in read_npz(path, MAX_BYTES).items() if rows.ndim}
    except (ValueError, OSError) as error:
        raise ValueError(f"{path.name}: {error}") from error
