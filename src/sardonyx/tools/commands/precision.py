"""`sardonyx convert-precision`: a model in float16 or bfloat16, beside the original."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.tools.compressing import add_options, output_of, write
from sardonyx.tools.inputs import check_input_options


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert-precision",
        help="make a model of 16 bits",
        description="Write MODEL in float16 or bfloat16 and compare its answers, size and speed with the "
        "original's. Nodes whose operator or weights do not allow it stay float32.",
    )
    add_options(parser)
    parser.add_argument("--to", choices=("fp16", "bf16"), default="fp16")
    parser.add_argument("--edges", action="store_true", help="change the types of inputs and outputs, too")
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Write the model and say what it is worth."""
    from sardonyx.compression import convert_precision

    check_input_options(options)
    write(options, output_of(options, options.to), convert_precision, options.to, edges=options.edges)
    return 0
