"""The process that opens a source and exports it; its input and output are files in a folder.

Runs in the framework's environment: no engine, no ONNX of ours. Reads job.json and sample.npz; writes
result.json, the ONNX file, and the framework's answers.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from sardonyx.convert import functions
from sardonyx.convert.arrays import read_arrays, write_arrays
from sardonyx.convert.framework import ConvertError, Exported, Framework, Request, RowsError
from sardonyx.convert.frameworks import framework, framework_of


def exported(row: Framework, model: Any, request: Request, folder: Path) -> Exported:
    """Have the framework export a model into the folder."""
    made = row.converter().export(model, request, folder / "exported.onnx")
    return dataclasses.replace(made, versions=row.versions())


def main(folder_name: str) -> int:
    """Do the job of a folder; 0 if there is a result."""
    folder = Path(folder_name)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    sample = read_arrays(folder / "sample.npz") if "sample" in job else None
    fields = job["request"]
    request = Request(sample, tuple(fields["dynamic"]), fields["opset"], fields["double"], fields["options"])
    row = framework(job["kind"])
    try:
        row, model = _opened(row, job["source"], request)
        made = exported(row, model, request, folder)
        if functions.is_function(job["source"]):
            made = dataclasses.replace(made, sources=functions.files_of(job["source"]))
        result = _stored(made, folder)
    except ConvertError as error:
        result = {"error": str(error), "is_of_rows": isinstance(error, RowsError)}
    except Exception as error:
        traceback.print_exc()
        result = {"error": unexpected(row, job["source"], error)}
    whole = folder / "result.part"
    whole.write_text(json.dumps(result), encoding="utf-8")
    whole.replace(folder / "result.json")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # frameworks leave threads behind that keep a process alive


def _opened(row: Framework, source: str, request: Request) -> tuple[Framework, Any]:
    """The model of a source; what a function returned may be of another framework in the same environment."""
    if not functions.is_function(source):
        return row, row.converter().load(source, request)
    model = functions.called(source)
    if model is None:
        raise ConvertError(
            f"{source} returned nothing; let it return the model, or a tuple of it and example inputs"
        )
    try:
        found = framework_of(model)
    except ConvertError:
        return row, model
    return (found if found.lock == row.lock else row), model


def _stored(made: Exported, folder: Path) -> dict[str, Any]:
    for at, case in enumerate(made.cases):
        write_arrays(case.feeds, folder / f"feeds-{at}.npz")
        write_arrays({str(i): answer for i, answer in enumerate(case.answers)}, folder / f"answers-{at}.npz")
    fields = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    axes = {name: list(free.items()) for name, free in made.axes.items()}
    return {
        **fields,
        "axes": axes,
        "path": str(made.path),
        "cases": len(made.cases),
        "versions": dict(made.versions),
    }


def unexpected(row: Framework, source: str, error: Exception) -> str:
    """What to say of an error that a framework raised of itself."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    text = str(error).strip() or type(error).__name__
    lines = "\n    ".join(text.splitlines()[:8])
    return f"{row.title} could not convert {source}: {type(error).__name__} in {where}: {lines}"
