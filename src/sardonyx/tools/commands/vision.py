"""`sardonyx vision train`: from pictures in folders to an ONNX file that classifies pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.models import add_json_option

_SHOWN = 10
_WIDTH = 60


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "vision",
        help="train a picture classifier",
        description="Train on a folder with a folder of pictures for each class (one of them may be "
        "'none of these'), or on a .csv with the columns file and labels (several as a;b), and write an ONNX "
        "file from a picture, uint8 [height, width, 3] of any size, to label and probabilities.",
    )
    parser.add_argument("action", choices=("train",), metavar="ACTION", help="train")
    parser.add_argument("source", metavar="FOLDER", help="a folder of folders, or a .csv")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: the folder's name with .onnx, here")
    parser.add_argument("--report", metavar="FILE", help="write an HTML page with the mistaken pictures")
    parser.add_argument(
        "--backbone", metavar="NAME", help="efficientnet_lite0+2 (default), efficientnet_lite2 or _lite0"
    )
    parser.add_argument("--fit", help="stretch pictures to a square (default), or crop their middle")
    parser.add_argument(
        "--views", type=int, default=2, metavar="N", help="learn from each and N - 1 changed (default 2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of every random choice")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 = all cores (default)")
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Train, write and tell."""
    from sardonyx.vision import Settings, train

    if options.threads < 0:
        raise UserError(f"--threads {options.threads}: give 0 (all cores) or a positive number")
    output = Path(options.output or f"{Path(options.source).resolve().stem}.onnx")
    named = {"backbone": options.backbone, "fit": options.fit}
    settings = Settings(
        **{name: value for name, value in named.items() if value is not None},
        views=options.views,
        seed=options.seed,
        threads=options.threads,
    )
    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        print(f"\r{f'picture {done + 1} of {total}':<{_WIDTH}}", end="", file=sys.stderr, flush=True)

    try:
        trained = train(options.source, settings, progress if shown else None)
    finally:
        if shown:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
    pages = {}
    if options.report:
        from sardonyx.vision.report import page

        pages[Path(options.report)] = page(trained, output.stem)
    written = trained.save(output, pages)
    if options.json:
        print_json({**trained.record(), "written": [str(path) for path in written]})
    else:
        print(_text(trained))
        print("\n".join(f"{path} written" for path in written))
    return 0


def _text(trained: Any) -> str:
    counts = [
        (name, f"{count} pictures") for name, count in zip(trained.classes, trained.truth.sum(0), strict=True)
    ]
    measures = [("in five folds, on pictures never seen", "", "95 of 100 draws")]
    measures += [(row.name, f"{row.value:.4g}", f"{row.low:.4g} to {row.high:.4g}") for row in trained.scores]
    wrong = trained.wrong()
    lines = [table(counts), table(measures), *(f"look: {text}" for text in trained.pictures.warnings)]
    if wrong:
        lines.append(f"{len(wrong)} are mistaken, the surest mistakes first:")
        lines += [f"  {trained.pictures.files[at]}" for at in wrong[:_SHOWN]]
    lines.append(
        f"features took {trained.seconds[0]:.1f} s, all else {trained.seconds[1]:.1f} s; the ONNX file is "
        f"within {trained.error:.0e} of the head on {trained.compared} pictures"
    )
    return "\n".join(lines)
