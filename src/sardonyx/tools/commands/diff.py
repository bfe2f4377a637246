"""`sardonyx diff`: what changed between two models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sardonyx.base.files import no_file
from sardonyx.ort.metadata import declared
from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.inputs import add_input_options, check_input_options, feeds_of
from sardonyx.tools.models import add_model_options, open_session

_SHOWN = 20
_WIDE = 60
TOLERANCE = 1e-4


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help="show what changed between two models",
        description="Show what differs between the models A and B: signature, operators, nodes, weights, and "
        "results on one sample, which is random where no --input is given.",
    )
    parser.add_argument("first", metavar="A", help="an .onnx file")
    parser.add_argument("second", metavar="B", help="an .onnx file")
    parser.add_argument("--no-run", action="store_true", help="compare the files only")
    parser.add_argument("--all", action="store_true", help=f"show all rows, not {_SHOWN} of each kind")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="X",
        help="results that are nearer, as a part of the largest value, are called the same (default 1e-4)",
    )
    add_input_options(parser)
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Compare the files, then what they say."""
    from sardonyx.tools.comparing import compared, is_same

    check_input_options(options)
    for path in (options.first, options.second):
        if not Path(path).is_file():
            raise UserError(no_file(path))
    found = compared(Path(options.first), Path(options.second))
    if not options.no_run:
        found["results"] = _results(options)
    if options.json:
        print_json({"first": options.first, "second": options.second, "same": is_same(found), **found})
        return 0
    print(_text(found, options.all))
    if is_same(found):
        print("nothing differs")
    return 0


def _results(options: argparse.Namespace) -> list[dict[str, Any]]:
    from sardonyx.tools.comparing import answers_compared

    names, answers = [], []
    for path in (options.first, options.second):
        session, _ = open_session(options, path)
        values, _ = feeds_of(list(map(declared, session.get_inputs())), options)
        names.append([argument.name for argument in session.get_outputs()])
        answers.append(session.run(None, values))
    return answers_compared(names, answers, options.tolerance)


def _text(found: dict[str, Any], everything: bool) -> str:
    lines = []
    for title, rows in found.items():
        if title == "results":
            lines += ["results on one sample", table([(row["output"], row["how"]) for row in rows])]
        elif rows:
            listed = list(rows.items())
            chosen = listed if everything else listed[:_SHOWN]
            lines += [
                f"{title} ({len(rows)} differ)",
                table([(name, _word(pair[0]), "->", _word(pair[1])) for name, pair in chosen]),
            ]
            if len(chosen) < len(listed):
                lines.append(f"  and {len(listed) - len(chosen)} more (--all)")
    return "\n".join(lines)


def _word(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 3]}..."
