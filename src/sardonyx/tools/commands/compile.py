"""`sardonyx compile`: fills the cache, so that sessions of a model start warm."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.base.explanation import count
from sardonyx.base.knobs import cache_folder
from sardonyx.runtime.cache import shared
from sardonyx.tools.console import UserError, print_json, table, time_text
from sardonyx.tools.models import add_model_options, open_session


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "compile",
        help="fill the cache",
        description="Compile every MODEL into the cache, so that its sessions start without compiling.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an .onnx file")
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Compile the models."""
    folder = cache_folder()
    if folder is None:
        raise UserError("the cache is off (SARDONYX_CACHE); there is nothing to fill")
    rows = []
    for path in options.models:
        session, seconds = open_session(options, path, full=True)
        compiled = session.report.counters.get("compiles", 0)
        rows.append(
            {"model": path, "seconds": seconds, "kernels": len(session.report.kernels), "compiled": compiled}
        )
        if not options.json:
            what = f"{count(len(session.report.kernels), 'kernel')}, {compiled} compiled"
            print(table([(path, what, time_text(seconds))], indent=""))
    if not shared().is_on:
        raise UserError(f"the cache {folder} takes nothing: the models are not in it")
    if options.json:
        print_json({"cache": str(folder), "models": rows})
    else:
        print(f"cache {folder}")
    return 0
