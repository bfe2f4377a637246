"""`sardonyx vision`: from pictures, in folders or with boxes, to an ONNX file; or the same in a browser."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.inputs import seed
from sardonyx.tools.models import add_json_option
from sardonyx.tools.server import add_home_options, port

_SHOWN = 10
_WIDTH = 60


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "vision",
        help="train a classifier of pictures, or a detector of boxes",
        description="Train on a folder with a folder of pictures for each class (one of them may be "
        "'none of these'), or on a .csv with the columns file and labels (several as a;b), and write an ONNX "
        "file from a picture, uint8 [height, width, 3] of any size, to label and probabilities. A data set "
        "of boxes, COCO's .json or YOLO's data.yaml or texts, gives one to boxes, labels and scores.",
    )
    parser.add_argument(
        "action", choices=("train", "studio"), metavar="ACTION", help="train, or studio: label in a browser"
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="a folder, a .csv, a .json or a .yaml")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: the folder's name with .onnx, here")
    parser.add_argument("--report", metavar="FILE", help="write an HTML page with the mistaken pictures")
    parser.add_argument(
        "--backbone", metavar="NAME", help="efficientnet_lite0+2 (default), efficientnet_lite2 or _lite0"
    )
    parser.add_argument("--fit", help="stretch pictures to a square (default), or crop their middle")
    parser.add_argument(
        "--views", type=int, metavar="N", help="learn from each and N - 1 changed (default 4, boxes 3)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of every random choice")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 = all cores (default)")
    parser.add_argument(
        "--port", type=port, default=0, metavar="N", help="of studio; default: any that is free"
    )
    parser.add_argument("--no-browser", action="store_true", help="studio: print the address, open nothing")
    add_json_option(parser)
    add_home_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Train, write and tell; or serve the studio until it is interrupted."""
    if options.action == "studio":
        from sardonyx.tools.studio import serve_studio

        return serve_studio(options)
    if options.source is None:
        raise UserError("say on which pictures: a folder, a .csv, a .json or a .yaml")
    from sardonyx.vision.boxes import has_boxes

    if options.threads < 0:
        raise UserError(f"--threads {options.threads}: give 0 (all cores) or a positive number")
    boxes = has_boxes(options.source)
    if boxes and options.fit:
        raise UserError("--fit is of classes; pictures with boxes are always seen whole")
    output = Path(options.output or f"{Path(options.source).resolve().stem}.onnx")
    named = {name: getattr(options, name) for name in ("backbone", "fit", "views")}
    asked = {name: value for name, value in named.items() if value is not None}
    trained, text, page = (_boxes if boxes else _classes)(options, asked)
    pages = {Path(options.report): page(trained, output.stem)} if options.report else {}
    written = trained.save(output, pages)
    if options.json:
        print_json({**trained.record(), "written": [str(path) for path in written]})
    else:
        print(text(trained))
        print("\n".join(f"{path} written" for path in written))
    return 0


def _classes(options: argparse.Namespace, asked: dict[str, Any]) -> tuple[Any, Any, Any]:
    from sardonyx.vision import Settings, train
    from sardonyx.vision.report import page

    settings = Settings(**asked, seed=options.seed, threads=options.threads)
    with _progress() as told:
        return train(options.source, settings, told), _text, page


def _boxes(options: argparse.Namespace, asked: dict[str, Any]) -> tuple[Any, Any, Any]:
    from sardonyx.vision.boxes import BoxSettings, train
    from sardonyx.vision.boxes.report import page

    settings = BoxSettings(**asked, seed=options.seed, threads=options.threads)
    with _progress() as told:
        return train(options.source, settings, told), _text_of_boxes, page


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    def told(done: int, total: int) -> None:
        text = f"picture {done + 1} of {total}" if done < total else "learning and judging"
        print(f"\r{text:<{_WIDTH}}", end="", file=sys.stderr, flush=True)

    shown = sys.stderr.isatty()
    try:
        yield told if shown else None
    finally:
        if shown:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)


def _text_of_boxes(trained: Any) -> str:
    scenes, precision = trained.scenes, trained.precision
    head = ("on pictures never seen", "true boxes", "AP50", "AP")
    rows = [
        (
            name,
            str(precision.counts[at]),
            f"{precision.table[at, 0]:.1%}",
            f"{precision.table[at].mean():.1%}",
        )
        for at, name in enumerate(scenes.classes)
    ]
    whole = ("all", str(precision.counts.sum()), f"{precision.at_half:.1%}", f"{precision.mean:.1%}")
    lines = [table([head, *rows, whole]), *(f"look: {text}" for text in scenes.warnings)]
    lines.append(
        f"the model returns boxes with scores from {trained.told:.2f} on: recall {trained.recall:.1%}, "
        f"precision {trained.right:.1%}"
    )
    lines.append(
        f"maps took {trained.seconds[0]:.1f} s, all else {trained.seconds[1]:.1f} s; the ONNX file's scores "
        f"are within {trained.error:.0e} of the head's"
    )
    return "\n".join(lines)


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
