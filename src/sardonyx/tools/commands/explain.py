"""`sardonyx explain`: which kernels a model became, what was joined and why not, what does not run native."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.base.explanation import explanation
from sardonyx.tools.console import print_json
from sardonyx.tools.models import add_model_options, open_session


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="show the kernels of a model and why they are as they are",
        description="Show which kernels MODEL became, what was fused and why not, what does not run native.",
    )
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument("--brief", action="store_true", help="leave out what was considered and not done")
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Show the report."""
    session, _ = open_session(options)
    if options.json:
        print_json({"model": options.model, **session.report.as_json()})
    else:
        print(explanation(session.report, refused=not options.brief))
    return 0
