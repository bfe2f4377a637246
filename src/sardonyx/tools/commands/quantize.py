"""`sardonyx quantize`: a model in 8 or 4 bits, with its size, speed and error beside the original's."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.tools.compressing import add_options, output_of, write
from sardonyx.tools.console import UserError
from sardonyx.tools.inputs import check_input_options


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "quantize",
        help="make a model of 8 or 4 bits",
        description="Write MODEL in 8 or 4 bits and compare its answers, size and speed with the original's. "
        "dynamic: weights and activations, ranges as they come; static: ranges seen on --samples, as "
        "QuantizeLinear and DequantizeLinear pairs; weights: matrices alone, in blocks (MatMulNBits).",
    )
    add_options(parser)
    parser.add_argument("--kind", choices=("dynamic", "static", "weights"), default="dynamic")
    parser.add_argument(
        "--method",
        choices=("minmax", "percentile", "entropy"),
        default="minmax",
        help="static: ranges of all numbers, of all but the rarest, or by least divergence",
    )
    parser.add_argument(
        "--percentile", type=float, default=99.99, metavar="P", help="static: the part that is inside"
    )
    parser.add_argument("--per-tensor", action="store_true", help="static: one scale for a weight")
    parser.add_argument(
        "--bits", type=int, default=0, metavar="N", help="of weights: 8 or 7; with --kind weights, 4 or 8"
    )
    parser.add_argument("--block", type=int, default=32, metavar="N", help="weights that share a scale")
    parser.add_argument("--symmetric", action="store_true", help="weights: no zero points")
    parser.add_argument("--operators", default="", metavar="NAMES", help="rewrite these, as MatMul,Conv")
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Write the model and say what it is worth."""
    from sardonyx.compression import quantize

    check_input_options(options)
    output = output_of(options, "int4" if options.kind == "weights" and options.bits != 8 else "int8")
    if options.kind == "static" and options.samples is None and not options.input:
        raise UserError("static ranges need --samples: inputs as the model will see them")
    write(
        *(options, output, quantize, options.kind),
        method=options.method,
        percentile=options.percentile,
        per_channel=not options.per_tensor,
        kinds=tuple(options.operators.split(",")) if options.operators else None,
        bits=options.bits,
        block=options.block,
        symmetric=options.symmetric,
    )
    return 0
