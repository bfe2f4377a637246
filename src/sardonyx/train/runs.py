"""Trainings beside each other: their scores, what they were told, what they looked at. Trains nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sardonyx.errors import SardonyxError

LARGER_IS_BETTER = ("accuracy", "balanced accuracy", "area under ROC", "variance explained")


def compared(paths: Sequence[str | Path]) -> dict[str, Any]:
    """The records of trainings (`.train.json`, or the .onnx file beside it) as one table.

    Returns:
        `runs` names them; `scores` has for each measure the `values` and which is `best`, if that is clear;
        `differs` what they were told differently; `warnings` those of each.

    Raises:
        SardonyxError: a file is not such a record, or the trainings have no measure in common.
    """
    records = [_record(Path(path)) for path in paths]
    by_name = [{row["name"]: row for row in record["scores"]} for record in records]
    common = [name for name in by_name[0] if all(name in rows for rows in by_name)]
    if not common:
        raise SardonyxError("one model predicts classes, another values; they cannot be compared")
    return {
        "runs": [str(path) for path in paths],
        "scores": {name: _row(name, [rows[name] for rows in by_name]) for name in common},
        "differs": _differences([_told(record) for record in records]),
        "warnings": [record["warnings"] for record in records],
    }


def _record(path: Path) -> Any:
    file = path.with_suffix(".train.json") if path.suffix == ".onnx" else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SardonyxError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SardonyxError(f"{file} is not a record of a training: {error}") from error
    if not isinstance(record, dict) or not {"scores", "settings", "candidates"} <= set(record):
        raise SardonyxError(f"{file} is not a record of a training; give what `sardonyx train` wrote")
    return record


def _row(name: str, scores: list[dict[str, Any]]) -> dict[str, Any]:
    """The values; the best is named only if it lies outside the intervals of all others."""
    values = [score["value"] for score in scores]
    sign = 1 if name in LARGER_IS_BETTER else -1
    best = max(range(len(values)), key=lambda at: sign * values[at])
    clear = all(
        at == best or not score["low"] <= values[best] <= score["high"] for at, score in enumerate(scores)
    )
    return {"values": scores, "best": best if clear and len(scores) > 1 else None}


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    best = min(record["candidates"], key=lambda row: row["loss"])
    kinds = {f"kind of {row['name']}": row["kind"] for row in record["columns"]}
    return {"rows": record["rows"], "family": best["family"], **record["settings"], **kinds}


def _differences(runs: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run)
    rows = {name: [run.get(name) for run in runs] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}
