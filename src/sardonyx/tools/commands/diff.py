"""`sardonyx diff`: what changed between two models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sardonyx.base.files import no_file
from sardonyx.errors import SardonyxError
from sardonyx.ort.exceptions import STATUS
from sardonyx.ort.metadata import declared
from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.inputs import add_input_options, check_input_options, feeds_of
from sardonyx.tools.models import add_model_options, open_session

_SHOWN = 20
_WIDE = 60
TOLERANCE = 1e-4

_FAILURES: tuple[type[Exception], ...] = (UserError, SardonyxError, *(row[0] for row in STATUS))


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
    problem = "" if options.no_run else _run(options, found)
    same = is_same(found) and not problem
    if options.json:
        more = {"problem": problem} if problem else {}
        print_json({"first": options.first, "second": options.second, "same": same, **found, **more})
    else:
        print(_text(found, options.all) or "the files do not differ")
        if same:
            print("nothing differs")
    if problem:
        raise UserError(problem)
    return 0


def _run(options: argparse.Namespace, found: dict[str, Any]) -> str:
    """Put what both say among what is found; why one says nothing, if it does not."""
    from sardonyx.tools.comparing import answers_compared

    names, answers = [], []
    for path in (options.first, options.second):
        try:
            session, _ = open_session(options, path)
            values, _ = feeds_of(list(map(declared, session.get_inputs())), options)
            answers.append(session.run(None, values))
        except _FAILURES as error:
            why = str(error).split(" : ", 3)[-1]
            return f"{path} gives no results: {why}; give --input or --dim, or --no-run"
        names.append([argument.name for argument in session.get_outputs()])
    found["results"] = answers_compared(names, answers, options.tolerance)
    return ""


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
