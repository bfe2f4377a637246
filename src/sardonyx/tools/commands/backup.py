"""`sardonyx backup`: the SQLite database of a home folder as one file, while servers run."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError, bytes_text, print_json
from sardonyx.tools.models import add_json_option
from sardonyx.tools.server import missing


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "backup",
        help="copy the registry's database",
        description="Write the database of the home folder to FILE, whole as of one moment, while servers "
        "run. The folder artefacts/ holds whole files that do not change; copy it afterwards.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="must not exist yet")
    parser.add_argument("--home", metavar="DIR", help="folder of the registry")
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Write the copy."""
    try:
        from sardonyx.database import Database, home_folder
        from sardonyx.protocol.errors import ServeError
    except ModuleNotFoundError as error:
        raise missing(error) from None
    try:
        with closing(Database.at_home(home_folder(options.home))) as database:
            database.back_up(options.file)
    except ServeError as error:
        raise UserError(error.message) from error
    size = options.file.stat().st_size
    if options.json:
        print_json({"file": str(options.file), "size_bytes": size})
    else:
        print(f"{options.file}: {bytes_text(size)}")
    return 0
