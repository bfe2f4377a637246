"""`sardonyx bench`: how fast models run, beside a peer; how that is measured is decided in tools/bench.py."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path
from typing import Any

from sardonyx.base.knobs import EFFORT, PRECISION, PRECISIONS
from sardonyx.frontend.summary import Summary, summarize
from sardonyx.ort.hotspots import Hotspot
from sardonyx.ort.hotspots import hotspots as timed
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession
from sardonyx.runtime.cores import team_size
from sardonyx.tools import bench, hotspots, peak, roofline
from sardonyx.tools.console import UserError, print_json, status_line, table, time_text
from sardonyx.tools.inputs import add_input_options, check_names, feeds_of
from sardonyx.tools.models import add_json_option

FEW_BITS = re.compile(r"\bQ[A-Z]|uantize|Integer|NBits")
"""Operators whose results hang on the borders between points, and on sums that some engines saturate."""
HALVES = {"float16": "fp16", "bfloat16": "bf16"}
"""The precision of a model that holds weights or results of a type."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "bench",
        help="measure models, beside another engine",
        description="Measure every MODEL: medians of interleaved runs; with a peer, outputs are compared. "
        "Inputs that are not given are random. Where those of a model of few bits differ, exact arithmetic "
        "says how many of each engine's are wrong. Exit code 1 if ours are, or if other models' differ.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an .onnx file")
    parser.add_argument(
        "--peer", metavar="MODULE", help="onnxruntime, openvino, or a module with the same Python API"
    )
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads; 0 = all cores (default)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each engine runs (default 1)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="how contractions are computed (default fp32)"
    )
    parser.add_argument("--profile", action="store_true", help="show which calls take how long")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE.svg",
        help="draw the longest kernels as bars, and all below the roofline of this machine; for one MODEL",
    )
    add_input_options(parser)
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Measure the models."""
    if not 0 < options.seconds < math.inf or options.threads < 0:
        raise UserError("--seconds and --threads take positive numbers")
    if options.picture and len(options.models) > 1:
        raise UserError("--picture draws one MODEL; give each a call and a file of its own")
    if options.precision is not None:
        os.environ[PRECISION.env] = options.precision
    engines = (bench.OURS, options.peer) if options.peer else (bench.OURS,)
    check_names([argument for path in options.models for argument in summarize(path).inputs], options)
    rows = []
    for number, path in enumerate(options.models, 1):
        with status_line(f"{path}: measuring, {number} of {len(options.models)}"):
            row = _measure(path, engines, options)
        rows.append(row)
        if not options.json:
            print(_line(row), flush=True)
            if options.profile:
                print(hotspots.text(_profile(path, options)), flush=True)
    if options.picture:
        _draw(options.models[0], options)
    if options.json:
        print_json([row.as_json() for row in rows])
    else:
        print(_summary(rows))
    return int(any(map(_is_wrong, rows)))


def _measure(path: str, engines: tuple[str, ...], options: argparse.Namespace) -> bench.Row:
    found = summarize(path)
    values, _ = feeds_of(found.inputs, options)
    file, few_bits = Path(path), any(map(FEW_BITS.search, found.operators))
    return bench.compare(
        file,
        values,
        engines=engines,
        threads=options.threads or team_size(),
        seconds=options.seconds,
        name=file.stem,
        expected=(lambda: bench.exactly(file, values)) if few_bits else None,
        precisions=(PRECISION.read(), *_precisions(found)),
    )


def _precisions(found: Summary) -> list[str]:
    """What a model of half precision is, by its weights and its outputs."""
    types = {*found.parameters, *(output.type for output in found.outputs)}
    return [precision for name, precision in HALVES.items() if types & {name, f"tensor({name})"}]


def _is_wrong(row: bench.Row) -> bool:
    """Whether our outputs are not the model's, or not the peer's where nothing else judges them."""
    if row.wrong:
        return row.wrong[0] > bench.LARGEST_WRONG_SHARE
    return row.apart is not None and not row.agrees


def _profile(path: str, options: argparse.Namespace) -> list[Hotspot]:
    chosen = SessionOptions()
    chosen.intra_op_num_threads = options.threads or team_size()
    chosen.add_session_config_entry(EFFORT.entry, "full")
    session = InferenceSession(path, chosen)
    values, _ = feeds_of(summarize(path).inputs, options)
    return timed(session, values, options.seconds)


def _draw(path: str, options: argparse.Namespace) -> None:
    with status_line(f"{path}: drawing"):
        most = peak.measure(options.threads or team_size())
        drawn = roofline.draw(_profile(path, options), most, Path(path).stem)
    try:
        options.picture.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--picture {options.picture}: {error.strerror}; choose another file") from None


def _line(row: bench.Row) -> str:
    cells = [row.model, f"{row.threads} threads"]
    cells += [f"{timing.engine} {time_text(timing.median_us / 1e6)}" for timing in row.timings]
    if row.speed is not None:
        cells.append(f"{row.speed:.2f}x")
    if row.apart is not None:
        said = "outputs agree" if row.agrees else "OUTPUTS DIFFER" if _is_wrong(row) else "outputs differ"
        cells.append(f"{said} ({row.apart:.1e} of the largest value)")
    if row.wrong:
        shares = [f"{t.engine} {share:.1%}" for t, share in zip(row.timings, row.wrong, strict=True)]
        cells.append(f"wrong by exact arithmetic: {', '.join(shares)}")
    return table([cells], indent="")


def _summary(rows: list[bench.Row]) -> str:
    speeds = [row.speed for row in rows if row.speed is not None]
    if len(speeds) > 1:
        return f"geometric mean {bench.geometric_mean(speeds):.2f}x over {len(speeds)} models"
    return "median of all runs; each engine in a process of its own, taking turns"
