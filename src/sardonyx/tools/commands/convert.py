"""`sardonyx convert`: a trained model of another framework to an ONNX file that predicts the same.

Also lists and removes the environments that conversions build.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sardonyx.convert.words import on_the_command_line
from sardonyx.tools.console import UserError, bytes_text, print_json, status_line, table
from sardonyx.tools.models import refuse_to_overwrite

ENVIRONMENTS = "env"
COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".z")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    from sardonyx.convert.frameworks import FRAMEWORKS

    parser: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="make an ONNX file of a model of another framework",
        description="Convert SOURCE to ONNX and compare the result with what its framework says. "
        "`sardonyx convert env list` and `env remove NAME` show and remove the environments of frameworks.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a file, a folder, or package.module:function, which returns a module",
    )
    parser.add_argument("rest", nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", metavar="FILE", help="default: the source's name with .onnx, here")
    parser.add_argument(
        "--from",
        dest="kind",
        choices=tuple(FRAMEWORKS),
        metavar="KIND",
        help=f"what SOURCE is (default: seen from its content): {', '.join(FRAMEWORKS)}",
    )
    parser.add_argument(
        "--sample", metavar="FILE", help="inputs to compare on: .npz, .npy, .csv, .json, .parquet"
    )
    parser.add_argument(
        "--dynamic",
        default="",
        metavar="NAMES",
        help="names of free axes, as batch,length; _ keeps one fixed",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=SHAPE",
        help="an input's shape and type if there is no sample, as x=1,3,224,224 or ids=1,16:int64",
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="encoder or decoder of a model that has both, or a signature of a SavedModel",
    )
    parser.add_argument("--opset", type=int, metavar="N", help="opset of the file (default: current)")
    parser.add_argument("--double", action="store_true", help="tables in double precision")
    parser.add_argument("--tolerance", type=float, metavar="X", help="largest relative error (default 1e-4)")
    parser.add_argument("--force", action="store_true", help="write the file even if it predicts differently")
    parser.add_argument("--isolated", action="store_true", help="use an environment of its own in any case")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.set_defaults(command_function=command)


@contextlib.contextmanager
def _in_its_words() -> Iterator[None]:
    """Errors name the options of the command."""
    from sardonyx.convert import ConvertError

    try:
        yield
    except ConvertError as error:
        raise UserError(on_the_command_line(str(error))) from error


def command(options: argparse.Namespace) -> int:
    """Convert, or show or remove environments."""
    if options.source == ENVIRONMENTS and not Path(ENVIRONMENTS).exists():
        return _environments(options)
    if options.rest:
        raise UserError(f"one source at a time; {options.rest[0]} is too many")
    from sardonyx.convert import convert, kind_of
    from sardonyx.convert.framework import PickleWarning
    from sardonyx.convert.frameworks import framework
    from sardonyx.convert.kinds import is_pickle

    with _in_its_words():
        row = framework(options.kind or kind_of(options.source))
    if is_pickle(options.source):
        print(
            f"sardonyx convert: opening {options.source} runs code that it holds; use files you trust",
            file=sys.stderr,
        )
    output = Path(options.output or f"{_stem(options.source)}.onnx")
    refuse_to_overwrite(output, Path(options.source))
    given = {"tolerance": options.tolerance} if options.tolerance is not None else {}
    with status_line(f"{options.source}: {row.title}"), _in_its_words(), warnings.catch_warnings():
        warnings.simplefilter("ignore", PickleWarning)  # it was said above
        converted = convert(
            options.source,
            output,
            kind=row.kind,
            sample=options.sample,
            dynamic=tuple(name for name in options.dynamic.split(",") if name),
            opset=options.opset,
            double=options.double,
            force=options.force,
            isolated=options.isolated,
            options={"inputs": options.input, "part": options.part},
            quiet=options.json,
            **given,
        )
    if options.json:
        print_json(
            {"output": str(output), "kind": row.kind, "notes": _notes(converted), **converted.parity.record()}
        )
    else:
        print(_text(output, converted))
    return 0


def _stem(source: str) -> str:
    path = Path(source)
    if not path.exists():
        return source.rpartition(":")[2]
    if path.is_dir():
        return path.resolve().name
    name = path.with_suffix("").name if path.suffix in COMPRESSED else path.name
    return Path(name).stem.removesuffix("-symbol")


def _text(output: Path, converted: Any) -> str:
    parity = converted.parity
    compared = "inputs drawn at random" if parity.drawn else "the sample"
    lines = [f"{output}: {converted.framework.title} and Sardonyx on {compared}"]
    rows = [("output", "largest error", "relative", "differing", "")]
    for row in parity.outputs:
        ties = f"{row.undecided} of them undecided" if row.undecided else ""
        counted = f"{row.differing} of {row.count}"
        rows.append(
            (row.name, f"{row.largest_error:.2g}", f"{row.relative_error:.1e}", counted, row.wrong or ties)
        )
    lines.append(table(rows))
    lines += [f"note: {note}" for note in _notes(converted)]
    return "\n".join(lines)


def _notes(converted: Any) -> list[str]:
    return [on_the_command_line(note) for note in converted.notes]


def _environments(options: argparse.Namespace) -> int:
    from sardonyx.convert import environments

    match options.rest:
        case ["list"] | []:
            return _list(options)
        case ["remove", name]:
            print(f"{bytes_text(environments.remove(name))} freed")
            return 0
    raise UserError("`sardonyx convert env list` or `sardonyx convert env remove NAME` (or `all`)")


def _list(options: argparse.Namespace) -> int:
    from sardonyx.convert import environments

    there = environments.built()
    if options.json:
        print_json([{"name": name, "folder": str(folder), "bytes": size} for name, folder, size in there])
        return 0
    current = {lock.folder: lock for lock in environments.locks() if lock.is_whole}
    rows = [
        (name, bytes_text(size), "" if folder in current else "stale or not whole", str(folder))
        for name, folder, size in there
    ]
    missing = [lock for lock in environments.locks() if lock.folder not in current]
    rows += [(lock.name, f"{lock.size} MB", "not built", "") for lock in missing]
    print(table(rows, indent=""))
    return 0
