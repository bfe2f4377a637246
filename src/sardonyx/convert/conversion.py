"""The whole way of a conversion: what is it, export, finish, compare, save.

Decides the order and when no file is written; knows no framework.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx

import sardonyx
from sardonyx.base.files import writing
from sardonyx.convert import exports, parity, provenance
from sardonyx.convert.axes import fix_sizes, name_output_axes
from sardonyx.convert.finish import LARGE_BYTES, finished, with_shapes
from sardonyx.convert.framework import (
    Case,
    ConvertError,
    Exported,
    Framework,
    ParityError,
    PickleWarning,
    Request,
    RowsError,
)
from sardonyx.convert.frameworks import framework, framework_of
from sardonyx.convert.kinds import is_pickle, kind_of
from sardonyx.convert.parity import Parity
from sardonyx.convert.samples import sampled
from sardonyx.convert.words import SAMPLE
from sardonyx.ort.exceptions import Fail, InvalidGraph, NotImplemented

QUIET = 4
FIXED = "_"
DOUBLED = ("sklearn", "lightgbm", "xgboost", "catboost")
IN_DOUBLE = (
    "columns are float64: in float32 some became equal, or fell on the other side of borders that the model "
    "learned, and answers differed"
)


@dataclass(frozen=True)
class Converted:
    """A converted model: the ONNX `model`, its `parity` with the framework, and `notes` for the user."""

    model: onnx.ModelProto
    parity: Parity
    framework: Framework
    notes: tuple[str, ...]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file whole or not at all; weights beyond 2 GB go into `<name>.data` beside it.

        ConvertError if it does not fit.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as scratch:
                whole = _written(self.model, Path(scratch), target.name)
                for part in sorted(whole.parent.iterdir(), key=lambda part: part == whole):
                    part.replace(target.parent / part.name)
        except OSError as error:
            raise ConvertError(f"{target} cannot be written: {error.strerror}; nothing was kept") from error
        return target

    def session(self, **options: Any) -> sardonyx.InferenceSession:
        """A session of the model; the options are those of InferenceSession."""
        return sardonyx.InferenceSession(self.model.SerializeToString(), **options)


def convert(
    source: Any,
    output: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    sample: Any = None,
    dynamic: Sequence[str] = (),
    opset: int | None = None,
    double: bool = False,
    force: bool = False,
    isolated: bool = False,
    tolerance: float = parity.TOLERANCE,
    options: Mapping[str, Any] | None = None,
    quiet: bool = True,
) -> Converted:
    """Convert a model and compare it with its framework.

    Args:
        source: a live object, a file, a folder, or "package.module:function" that returns a module.
        output: the ONNX file to write, if any.
        kind: what the source is, if its content does not tell; see `sardonyx convert --help`.
        sample: inputs to compare on: an array, a data frame, a mapping by input name, or a file of them.
        dynamic: names of the free axes 0, 1, ... of every input; `_` keeps an axis fixed.
        opset: of ai.onnx; None is the newest that is converted well.
        double: tables are read as float64 instead of float32; without it that is done only where float32
            does not say what the framework says.
        force: write the file though it does not say what the framework says.
        isolated: open files in an environment of their own even if the framework is importable here.
        tolerance: largest distance of a float output, as a part of the largest value in it.
        options: what only some frameworks take.
        quiet: show no progress on stderr.

    Warns:
        PickleWarning: the source is a file that runs code when it is opened, in a process of its own.

    Raises:
        ConvertError: it cannot be converted.
        ParityError: it predicts differently than its framework.
    """
    request = Request(sampled(sample), tuple(dynamic), opset, double, dict(options or {}))
    given = str(source) if isinstance(source, Path) else source
    row = (
        framework(kind or kind_of(given))
        if isinstance(given, str)
        else (framework(kind) if kind else framework_of(given))
    )
    _warn_of_pickles(given)
    attempt = partial(_attempted, row, given, tolerance, isolated, quiet)
    with tempfile.TemporaryDirectory(prefix="sardonyx-convert-") as scratch:
        if row.kind in DOUBLED and not double:
            converted = _in_either_precision(attempt, request, Path(scratch))
        else:
            converted = attempt(request, Path(scratch) / "only")
    if not converted.parity.holds and not force:
        raise ParityError(_disagreement(converted))
    if output is not None:
        converted.save(output)
    return converted


def _in_either_precision(
    attempt: Callable[[Request, Path], Converted], request: Request, scratch: Path
) -> Converted:
    """From columns of float32; where the framework fails on these, or says other things, of float64.

    If neither agrees, what the first one came to is told.
    """
    failure: RowsError | None = None
    try:
        single = attempt(request, scratch / "single")
        if single.parity.holds:
            return single
    except RowsError as error:
        failure = error
    with contextlib.suppress(ConvertError):
        wide = attempt(replace(request, double=True), scratch / "double")
        if wide.parity.holds:
            return _noted(wide.model, wide.parity, wide.framework, (*wide.notes, IN_DOUBLE))
    if failure:
        raise failure
    return single


def _warn_of_pickles(source: Any) -> None:
    if isinstance(source, str) and is_pickle(source):
        said = f"opening {source} runs code that it holds; use files you trust"
        warnings.warn(said, PickleWarning, stacklevel=3)


def _attempted(
    row: Framework,
    source: Any,
    tolerance: float,
    isolated: bool,
    quiet: bool,
    request: Request,
    folder: Path,
) -> Converted:
    """The model and how near it is; files are exported elsewhere, objects here."""
    folder.mkdir()
    if isinstance(source, str):
        exported = exports.of_file(row, source, request, folder, isolated=isolated, quiet=quiet)
        return _proven(row, exported, request, source, tolerance, folder)
    exported = exports.of_object(row, source, request, folder)
    return _proven(row, exported, request, "", tolerance, folder)


def _proven(
    row: Framework, exported: Exported, request: Request, origin: str, tolerance: float, folder: Path
) -> Converted:
    model, notes = finished(exported, request.opset, {})
    kept = [axis for axis, name in enumerate(request.dynamic) if name == FIXED]
    if kept:
        _fix(model, exported.cases, kept)

    def compared(cases: list[Case]) -> Parity:
        session = _session(_written(model, folder / "finished", "model.onnx"), row)
        return parity.compare(
            session, cases, drawn=exported.drawn, tolerance=tolerance, points=exported.points
        )

    found = compared(exported.cases)
    if not found.holds and not request.dynamic and len(exported.cases) > 1:
        first = exported.cases[:1]
        if compared(first).holds:
            _fix(model, first)
            found = compared(first)
            notes.append("all sizes are fixed: the exported network is right for those of the sample alone")
    for key, text in provenance.metadata(row, exported, origin, found).items():
        model.metadata_props.add(key=key, value=text)
    return _noted(model, found, row, (*exported.notes, *notes))


def _session(path: Path, row: Framework) -> sardonyx.InferenceSession:
    settings = sardonyx.SessionOptions()
    settings.log_severity_level = QUIET
    try:
        return sardonyx.InferenceSession(str(path), settings)
    except (Fail, InvalidGraph, NotImplemented) as error:
        raise ConvertError(
            f"the model of {row.title} was written as one that cannot run: {error.__cause__}"
        ) from error


def _noted(model: onnx.ModelProto, found: Parity, row: Framework, notes: tuple[str, ...]) -> Converted:
    """The conversion, with its notes in the file as well."""
    provenance.note(model, notes)
    return Converted(model, found, row, notes)


def _fix(model: onnx.ModelProto, cases: list[Case], only: Collection[int] | None = None) -> None:
    """Give all axes, or `only` those, the sizes of the first case."""
    fix_sizes(model, cases[0].feeds, only)
    model.CopyFrom(with_shapes(model))
    name_output_axes(model, cases)


def _written(model: onnx.ModelProto, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with writing(path):
        if model.ByteSize() < LARGE_BYTES - (1 << 20):
            path.write_bytes(model.SerializeToString())
        else:
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            onnx.save_model(copy, path, save_as_external_data=True, location=f"{name}.data")
    return path


def _disagreement(converted: Converted) -> str:
    wrong = "; ".join(f"{row.name}: {row.wrong}" for row in converted.parity.outputs if row.wrong)
    inputs = f"drawn inputs (give {SAMPLE}, with real ones)" if converted.parity.drawn else "the sample"
    return f"the ONNX model does not say what {converted.framework.title} says on {inputs}: {wrong}"
