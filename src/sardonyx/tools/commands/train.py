"""`sardonyx train`: from a table to an ONNX file that answers its raw columns, with a report.

`sardonyx train compare` puts trainings beside each other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError, print_json, status_line, table
from sardonyx.tools.inputs import seed
from sardonyx.tools.models import add_json_option

COMPARE = "compare"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train a model on a table",
        description="Train on DATA (.csv, .parquet, DuckDB with --query) and write one ONNX file that takes "
        "the raw columns by name, its record, and the rows that drift monitors compare with. "
        "`sardonyx train compare A.onnx B.onnx ...` puts trainings beside each other.",
    )
    parser.add_argument("data", metavar="DATA", help="a .csv, .parquet or .duckdb file")
    parser.add_argument("rest", nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--target", metavar="COLUMN", help="what is to be predicted")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: the data's name with .onnx, here")
    parser.add_argument("--report", metavar="FILE", help="write an HTML page")
    parser.add_argument(
        "--query", metavar="SQL", help="asked of a DuckDB file, or of DATA under the name data"
    )
    parser.add_argument("--split", default="random", help="random (default), group:COLUMN or time:COLUMN")
    parser.add_argument("--goal", choices=("classes", "values"), help="default: seen from the target")
    parser.add_argument("--type", action="append", default=[], metavar="COLUMN=KIND", help="what a column is")
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMN", help="leave a column out")
    parser.add_argument(
        "--budget", type=float, default=60.0, metavar="SECONDS", help="of search (default 60)"
    )
    parser.add_argument(
        "--trials",
        type=int,
        default=24,
        metavar="N",
        help="candidates at most; --budget 0 tries exactly these",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of every random choice")
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Train, write and tell; or compare trainings."""
    if options.data == COMPARE and not Path(COMPARE).exists():
        return _compare(options)
    if options.rest:
        raise UserError(f"one table at a time; {options.rest[0]} is too many")
    if options.target is None:
        if not Path(options.data).exists():
            raise UserError(f"there is no file {options.data}")
        raise UserError("which column is to be predicted? Say --target COLUMN")
    from sardonyx.train import Settings, train

    if options.trials < 1:
        raise UserError(f"--trials {options.trials}: give 1 or more")
    settings = Settings(
        options.target,
        budget=options.budget,
        trials=options.trials,
        seed=options.seed,
        split=options.split,
        kinds=dict(_kind(text) for text in options.type),
        ignored=tuple(options.ignore),
        goal=options.goal or "",
    )
    with status_line(f"training on {options.data}"):
        trained = train(options.data, settings, options.query)
    output = Path(options.output or f"{Path(options.data).stem}.onnx")
    pages = {}
    if options.report:
        from sardonyx.train.report import page

        pages[Path(options.report)] = page(trained, f"{options.target} of {options.data}")
    written = trained.save(output, pages)
    if options.json:
        print_json({**trained.record(), "written": [str(path) for path in written]})
    else:
        print(_text(trained))
        print("\n".join(f"{path} written" for path in written))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from sardonyx.train.runs import compared

    if len(options.rest) < 2:
        raise UserError("compare which trainings? Give two or more .onnx or .train.json files")
    found = compared(options.rest)
    if options.json:
        print_json(found)
        return 0
    rows = [("", *(Path(run).stem.removesuffix(".train") for run in found["runs"]), "")]
    for name, row in found["scores"].items():
        cells = [f"{one['value']:.4g} ({one['low']:.4g} to {one['high']:.4g})" for one in row["values"]]
        better = "no clear difference" if row["best"] is None else f"{rows[0][row['best'] + 1]} is better"
        rows.append((name, *cells, better))
    rows += [(name, *map(str, values), "") for name, values in found["differs"].items()]
    print(table(rows, indent=""))
    return 0


def _kind(text: str) -> tuple[str, str]:
    name, equals, kind = text.rpartition("=")
    if not equals:
        raise UserError(f"--type {text!r}: write COLUMN=KIND, as age=number")
    return name, kind


def _text(trained: Any) -> str:
    columns = [(c.name, c.kind, f"{c.missing} missing" if c.missing else "", c.why) for c in trained.columns]
    best = min(trained.candidates, key=lambda row: row.loss)
    measures = [("on rows never seen", "", "95 of 100 draws", "always the same answer")]
    measures += [
        (row.name, f"{row.value:.4g}", f"{row.low:.4g} to {row.high:.4g}", f"{plain.value:.4g}")
        for row, plain in zip(trained.scores, trained.baseline_scores, strict=True)
    ]
    lines = [
        table(columns, indent="  "),
        f"{best.family} is the best of {len(trained.candidates)} candidates",
    ]
    lines += [table(measures), *(f"look: {warning}" for warning in trained.warnings)]
    lines += [f"note: {note}" for note in trained.converted.notes]
    return "\n".join(lines)
