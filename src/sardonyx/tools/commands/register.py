"""`sardonyx register`: a model file becomes a version, after checks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.commands.models import STAGES, pairs, version_text
from sardonyx.tools.console import print_json, status_line
from sardonyx.tools.server import add_server_options, administered, plain

if TYPE_CHECKING:
    from sardonyx.client import Client

LINEAGE = ("framework", "data", "parent", "run", "commit")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "register",
        help="register a version of a model",
        description="Register SOURCE as the next version of MODEL. First it is checked: ONNX's checker, "
        "a run on made-up numbers, agreement with given samples, operators that would not run native.",
    )
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    parser.add_argument("source", metavar="SOURCE", help="an .onnx file, a folder with one, or a URL")
    parser.add_argument(
        "--samples", default="", metavar="FILE", help=".npz of arrays named as inputs and outputs"
    )
    parser.add_argument("--alias", action="append", default=[], metavar="NAME", help="let NAME point at it")
    parser.add_argument("--stage", choices=STAGES, default="none")
    parser.add_argument("--describe", default="", metavar="TEXT")
    parser.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE")
    for name in LINEAGE:
        parser.add_argument(f"--{name}", default="", help=f"lineage: {name}")
    parser.add_argument("--force", action="store_true", help="register it even if checks fail")
    add_server_options(parser)
    parser.set_defaults(command_function=administered(_register))


def _register(options: argparse.Namespace, client: Client) -> int:
    from sardonyx.protocol.records import Lineage

    with status_line(f"checking {options.source}"):
        version = client.register(
            options.model,
            options.source,
            samples=options.samples,
            aliases=options.alias,
            stage=options.stage,
            description=options.describe,
            tags=pairs(options.tag, "--tag"),
            lineage=Lineage(**{name: getattr(options, name) for name in LINEAGE}),
            force=options.force,
        )
    if options.json:
        print_json(plain(version))
    else:
        print(version_text(version))
    return 0
