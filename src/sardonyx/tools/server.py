"""Which registry a command speaks to: a server by URL, or the home folder of this machine.

Must not know what is asked.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sardonyx.tools.console import UserError
from sardonyx.tools.models import add_json_option

if TYPE_CHECKING:
    from sardonyx.client import Client

SERVER, KEY, CERTIFICATE = "SARDONYX_SERVER", "SARDONYX_KEY", "SARDONYX_CERTIFICATE"
_LAST_PORT = 65535
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def port(text: str) -> int:
    """The number of a port of TCP; 0 means any that is free."""
    number = int(text)
    if not 0 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{number} is not a port number: give 0 to {_LAST_PORT}")
    return number


def add_home_options(parser: argparse.ArgumentParser) -> None:
    """Add --home, --database and --artefacts."""
    parser.add_argument(
        "--home", metavar="DIR", help="folder of the registry (default SARDONYX_HOME, else the user's)"
    )
    parser.add_argument(
        "--database", default="", metavar="URL", help="postgresql://... instead of SQLite in the home"
    )
    parser.add_argument(
        "--artefacts", default="", metavar="URL", help="folder or s3://... instead of one in the home"
    )


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add --server, --key, --certificate, --certificate-key, --home, --database, --artefacts and --json."""
    parser.add_argument(
        "--server", metavar="URL", help=f"ask this server (default {SERVER}), not the home folder"
    )
    parser.add_argument("--key", help=f"API key for the server (default {KEY})")
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        help=f"PEM: shown to a server that asks clients for one (default {CERTIFICATE})",
    )
    parser.add_argument(
        "--certificate-key",
        metavar="FILE",
        help=f"PEM: its private key, if in another file (default {CERTIFICATE}_KEY)",
    )
    add_home_options(parser)
    add_json_option(parser)


def administered(act: Callable[[argparse.Namespace, Client], int]) -> Callable[[argparse.Namespace], int]:
    """A command that gets a client; what the server refuses is an error of the command."""

    def command(options: argparse.Namespace) -> int:
        try:
            from sardonyx.client import ServeError
        except ModuleNotFoundError as error:
            raise missing(error) from None
        try:
            with open_client(options) as client:
                return act(options, client)
        except ServeError as error:
            raise UserError(error.message) from error

    return command


def open_client(options: argparse.Namespace) -> Client:
    """The client that the options of `add_server_options` ask for."""
    from sardonyx.client import Client

    url = options.server or (None if options.home or options.database else os.environ.get(SERVER))
    if url:
        return Client(
            url,
            options.key,
            certificate=options.certificate,
            certificate_key=options.certificate_key,
        )
    from sardonyx.database import home_folder
    from sardonyx.gateway.inside import client_inside

    return client_inside(home_folder(options.home), options.database, options.artefacts)


def missing(error: ModuleNotFoundError) -> UserError:
    """What to install for a module that is not there."""
    return UserError(f"{error.name} is missing; install it with: pip install 'sardonyx[serve]'")


def seconds_of(text: str) -> float:
    """Seconds of `90`, `30s`, `5m`, `12h`, `30d`, `2w`. UserError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", text)
    if match is None:
        raise UserError(f"{text!r} is not a time; write for example 30s, 5m, 12h or 30d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def time_ago(moment: datetime | None) -> str:
    """A moment for readers."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def plain(records: Any) -> Any:
    """Records as what JSON knows."""
    import msgspec

    return msgspec.to_builtins(records)
