"""Opening a model for a command, with the options that several commands share.

Must not know what a command does with the session.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sardonyx.base.knobs import EFFORT, PRECISIONS
from sardonyx.ort.logger import FATAL
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession
from sardonyx.tools.console import UserError, progress_line


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add --precision, --threads, --fallback and --json."""
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="how contractions are computed (default fp32)"
    )
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads; 0 = all cores (default)"
    )
    parser.add_argument(
        "--fallback", choices=("allow", "error"), help="operators without native code (default allow)"
    )
    add_json_option(parser)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def refuse_to_overwrite(output: Path, source: Path) -> None:
    """UserError if the file to write is the model itself."""
    if output.exists() and source.exists() and output.samefile(source):
        raise UserError(f"{output} is the model itself; give another file with -o")


def _check_file(path: str) -> None:
    """UserError if there is no file of that name."""
    if not path:
        raise UserError("the name of the model is empty; give an .onnx file")
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder; give a file")
    if not Path(path).exists():
        raise UserError(f"there is no file {path}")


def open_session(
    options: argparse.Namespace, path: str | None = None, *, full: bool = False
) -> tuple[InferenceSession, float]:
    """The session of `path` (default: the command's model) and the seconds it took to make.

    `full`: everything is compiled in full at once.
    """
    path = str(options.model) if path is None else path
    if options.threads < 0:
        raise UserError(f"--threads {options.threads}: give 0 (all cores) or a positive number")
    _check_file(path)
    settings = SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = FATAL
    if options.fallback is not None:
        settings.add_session_config_entry("sardonyx.fallback", options.fallback)
    if full:
        settings.add_session_config_entry(EFFORT.entry, "full")
    began = time.perf_counter()
    with progress_line(path):
        session = InferenceSession(path, settings, precision=options.precision)
    return session, time.perf_counter() - began
