"""`sardonyx knobs`: every option of the engine with its value now."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.base.knobs import KNOBS
from sardonyx.tools.console import print_json, table
from sardonyx.tools.models import add_json_option


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "knobs",
        help="show all options",
        description="Show every option: an environment variable or a session config entry sardonyx.NAME.",
    )
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Show the knobs."""
    rows = [
        {
            "name": knob.name,
            "variable": knob.env,
            "entry": knob.entry,
            "type": knob.type.__name__,
            "default": knob.default,
            "value": knob.read(),
            "choices": list(knob.choices),
            "help": knob.help,
        }
        for knob in KNOBS
    ]
    if options.json:
        print_json(rows)
    else:
        print(
            table(
                [(row["variable"], row["type"], _value(row["value"]), row["help"]) for row in rows], indent=""
            )
        )
    return 0


def _value(value: object) -> str:
    return '""' if value == "" else str(value)
