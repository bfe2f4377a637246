"""`sardonyx run`: a model once, on files or random numbers; prints and saves what comes out."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.explanation import count
from sardonyx.base.files import writing
from sardonyx.ort.metadata import declared
from sardonyx.tools.console import UserError, print_json, shape_text, table, time_text
from sardonyx.tools.inputs import add_input_options, check_input_options, check_names, feeds_of
from sardonyx.tools.models import add_model_options, open_session

_SHOWN = 6


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a model on files or random numbers",
        description="Run MODEL. Inputs that are not given are random.",
    )
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument("--output", type=Path, metavar="DIR", help="save every output as DIR/NAME.npy")
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="run N times, report the median time"
    )
    add_input_options(parser)
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Run the model and show its outputs."""
    if options.repeat < 1:
        raise UserError(f"--repeat {options.repeat}: give a positive number")
    check_input_options(options)
    session, load_seconds = open_session(options)
    arguments = list(map(declared, session.get_inputs()))
    check_names(arguments, options)
    values, invented = feeds_of(arguments, options)
    seconds = []
    results: list[Any] = []
    for _ in range(options.repeat):
        began = time.perf_counter()
        results = session.run(None, values)
        seconds.append(time.perf_counter() - began)
    names = [argument.name for argument in session.get_outputs()]
    if options.output is not None:
        _save(options.output, names, results)
    median = statistics.median(seconds)
    if options.json:
        print_json(
            {
                "model": options.model,
                "load_ms": load_seconds * 1e3,
                "run_ms": median * 1e3,
                "first_run_ms": seconds[0] * 1e3,
                "random_inputs": invented,
                "inputs": {name: _facts(value) for name, value in values.items()},
                "outputs": {name: _facts(value) for name, value in zip(names, results, strict=True)},
                "fallbacks": len(session.report.fallbacks),
            }
        )
        return 0
    for name in invented:
        print(f"{name} is random; give it with --input {name}=FILE")
    print(table([("in", name, *_row(value)) for name, value in values.items()], indent=""))
    print(table([("out", name, *_row(value)) for name, value in zip(names, results, strict=True)], indent=""))
    repeated = f", median {time_text(median)} of {options.repeat}" if options.repeat > 1 else ""
    for name, result in zip(names, results, strict=True):
        if remark := _remark(name, result, bool(invented)):
            print(remark)
    print(f"loaded in {time_text(load_seconds)}, first run {time_text(seconds[0])}{repeated}")
    if session.report.fallbacks:
        without = count(len(session.report.fallbacks), "operator")
        print(f"{without} without native code; see `sardonyx explain {options.model}`")
    return 0


def _save(folder: Path, names: list[str], results: list[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, result in zip(names, results, strict=True):
        if not isinstance(result, np.ndarray):
            raise UserError(f"--output: {name} is a {type(result).__name__}, only tensors can be saved")
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        path = folder / f"{safe}.npy"
        with writing(path):
            np.save(path, result, allow_pickle=result.dtype.kind == "O")


def _row(value: Any) -> tuple[str, str, str]:
    if not isinstance(value, np.ndarray):
        items = f"{len(value)} items" if hasattr(value, "__len__") else ""
        return type(value).__name__, items, ""
    flat = value.reshape(-1)
    head = ", ".join(_number(item) for item in flat[:_SHOWN].tolist())
    more = ", ..." if value.size > _SHOWN else ""
    return str(value.dtype), shape_text(value.shape), f"{head}{more}"


def _remark(name: str, result: Any, is_random: bool) -> str:
    """A sentence on NaN and infinities, if the result has any."""
    if not isinstance(result, np.ndarray) or not (strange := _strange(result)):
        return ""
    found = " and ".join(f"{count} of {result.size} elements {kind}" for kind, count in strange.items())
    why = "; random inputs may lie outside of what the model was made for" if is_random else ""
    return f"{name}: {found}{why}"


def _strange(array: np.ndarray[Any, Any]) -> dict[str, int]:
    """How many elements are NaN or infinite, if any are."""
    if array.dtype.kind in "Ub" or array.dtype == object:
        return {}
    numbers = array if array.dtype.kind == "c" else array.astype(np.float64)
    counts = {"NaN": int(np.isnan(numbers).sum()), "infinite": int(np.isinf(numbers).sum())}
    return {kind: count for kind, count in counts.items() if count}


def _number(item: Any) -> str:
    return f"{item:.5g}" if isinstance(item, float) else str(item)


def _facts(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        return {"type": type(value).__name__, "items": len(value) if hasattr(value, "__len__") else None}
    facts: dict[str, Any] = {"dtype": str(value.dtype), "shape": list(value.shape)}
    first = value.reshape(-1)[:_SHOWN]
    if value.dtype.kind in "Oc":
        return facts | {"first": first.tolist()}
    numbers = value.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if finite.size:
        facts |= {"min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean())}
    facts |= {kind.lower(): count for kind, count in _strange(value).items()}
    return facts | {"first": [x if np.isfinite(x) else str(x) for x in first.astype(np.float64).tolist()]}
