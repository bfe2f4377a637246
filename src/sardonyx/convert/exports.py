"""Has a source exported where its framework is: here, in a process of this Python, or in its environment.

Decides where code of the source runs; files are always opened in a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sardonyx
from sardonyx.convert import environments, functions
from sardonyx.convert.arrays import read_arrays, write_arrays
from sardonyx.convert.framework import Case, ConvertError, Exported, Framework, Request, RowsError

START = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "sardonyx", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]]
)
sys.modules["sardonyx"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["sardonyx"])
from sardonyx.convert.worker import main
sys.exit(main(sys.argv[2]))
"""


def of_object(row: Framework, model: Any, request: Request, folder: Path) -> Exported:
    """Export a live object in this process; ConvertError whatever the framework raises."""
    if not row.is_importable():
        missing = ", ".join(name for name in row.needs if not _found(name))
        how = f"pip install 'sardonyx[{row.extra}]'" if row.extra else "save the model and convert the file"
        raise ConvertError(f"converting {row.title} needs {missing}; {how}")
    from sardonyx.convert.worker import exported, unexpected

    try:
        return exported(row, model, request, folder)
    except ConvertError:
        raise
    except Exception as error:
        raise ConvertError(unexpected(row, f"this {type(model).__name__}", error)) from error


def _found(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def of_file(
    row: Framework, source: str, request: Request, folder: Path, *, isolated: bool, quiet: bool
) -> Exported:
    """Export a file, folder or function in another process, in this Python if it has the framework."""
    here = row.is_importable() and not (isolated and row.lock)
    _write_job(row, source, request, folder)
    root = str(Path(sardonyx.__file__).parent)
    flags = [] if functions.is_function(source) else ["-P"]
    with (
        nullcontext(sys.executable) if here else environments.used(row.lock, quiet=quiet) as python,
        (folder / "log").open("w+", encoding="utf-8", errors="replace") as log,
    ):
        done = subprocess.run(
            [python, *flags, "-c", START, root, str(folder)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(here),
            check=False,
        )
        log.seek(0)
        said = log.read().strip()
    return _read_result(row, source, folder, done.returncode, said)


def _environment(here: bool) -> dict[str, str]:
    """An environment's packages alone, and no guess at a GPU."""
    kept = dict(os.environ)
    if not here:
        kept.pop("PYTHONPATH", None)
        kept.pop("PYTHONHOME", None)
    return {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "TOKENIZERS_PARALLELISM": "false",
        **kept,
    }


def _write_job(row: Framework, source: str, request: Request, folder: Path) -> None:
    path = Path(source)
    fields = asdict(request)
    sample = fields.pop("sample")
    job = {"kind": row.kind, "source": str(path.resolve()) if path.exists() else source, "request": fields}
    if sample is not None:
        job["sample"] = write_arrays(sample, folder / "sample.npz")
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")


def _read_result(row: Framework, source: str, folder: Path, code: int, said: str) -> Exported:
    path = folder / "result.json"
    if not path.is_file():
        last_words = getattr(row.converter(), "last_words", lambda log: "")
        end = f"signal {-code}" if code < 0 else f"code {code}"
        tail = "\n    ".join(["", *said.splitlines()[-12:]])
        raise ConvertError(
            last_words(said) or f"{row.title} ended with {end} while it converted {source}:{tail}"
        )
    result = json.loads(path.read_text(encoding="utf-8"))
    if "error" in result:
        raise (RowsError if result.get("is_of_rows") else ConvertError)(result["error"])
    cases = [
        Case(
            read_arrays(folder / f"feeds-{at}.npz"), list(read_arrays(folder / f"answers-{at}.npz").values())
        )
        for at in range(result.pop("cases"))
    ]
    result["axes"] = {name: dict(free) for name, free in result["axes"].items()}
    lists = {key: tuple(result[key]) for key in ("outputs", "labels", "columns", "notes", "sources")}
    return Exported(**{**result, **lists, "path": Path(result["path"]), "cases": cases})
