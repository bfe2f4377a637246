"""`sardonyx explain`: which kernels a model became, what was joined and why not, what does not run native."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from sardonyx.base.explanation import explanation
from sardonyx.base.signature import TensorInfo
from sardonyx.frontend.summary import summarize
from sardonyx.ort.exceptions import STATUS
from sardonyx.ort.hotspots import Hotspot
from sardonyx.ort.hotspots import hotspots as timed
from sardonyx.ort.session import InferenceSession
from sardonyx.runtime.cores import team_size
from sardonyx.tools import hotspots, peak
from sardonyx.tools.console import UserError, print_json, status_line
from sardonyx.tools.inputs import add_input_options, check_names, feeds_of
from sardonyx.tools.models import add_model_options, open_session

_SECONDS = 1.0
_LINES = 200
_REFUSALS = tuple(row[0] for row in STATUS)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="show the kernels of a model and why they are as they are",
        description="Show which kernels MODEL became, what was fused and why not, what does not run native.",
    )
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument(
        "--all", action="store_true", help=f"show all kernels; else {_LINES} lines of them at most"
    )
    parser.add_argument("--brief", action="store_true", help="leave out what was considered and not done")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="run it for a second on --input or random numbers: time, GFLOP/s, GB/s of every kernel, and how "
        "near these come to what the machine can do",
    )
    add_input_options(parser)
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Show the report."""
    arguments = summarize(options.model).inputs
    check_names(arguments, options)
    session, _ = open_session(options, full=bool(options.profile))
    report = session.report
    if report.counters.get("variants") == 0:
        _compile(session, arguments, options)
    measured = _measured(session, arguments, options) if options.profile else None
    if options.json:
        profile = {"profile": hotspots.as_json(*measured)} if measured else {}
        print_json({"model": options.model, **report.as_json(), **profile})
        return 0
    print(explanation(report, refused=not options.brief, most=None if options.all else _LINES))
    if measured:
        print("\ntime of the kernels, the longest first\n" + hotspots.text(*measured))
    return 0


def _compile(session: InferenceSession, arguments: Sequence[TensorInfo], options: argparse.Namespace) -> None:
    """Feed a model that is compiled when it is first fed. Raises UserError if it refuses the feeds."""
    values, invented = feeds_of(arguments, options)
    try:
        session.run(None, values)
    except _REFUSALS as error:
        missing = (
            f"; random numbers were fed for {', '.join(invented)}: give --input or --dim" if invented else ""
        )
        raise UserError(
            f"{options.model} is compiled when it is fed, which failed: {error}{missing}"
        ) from None


def _measured(
    session: InferenceSession, arguments: Sequence[TensorInfo], options: argparse.Namespace
) -> tuple[list[Hotspot], peak.Peak]:
    values, _ = feeds_of(arguments, options)
    with status_line(f"{options.model}: measuring"):
        return timed(session, values, _SECONDS), peak.measure(options.threads or team_size())
