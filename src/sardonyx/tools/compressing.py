"""What `quantize` and `convert-precision` share: options, samples, and how the result is told."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sardonyx.base.explanation import count
from sardonyx.base.files import no_file
from sardonyx.tools.console import UserError, bytes_text, print_json, status_line, table, time_text
from sardonyx.tools.inputs import add_input_options, check_names, feeds_of
from sardonyx.tools.models import add_json_option, refuse_to_overwrite

if TYPE_CHECKING:
    from sardonyx.compression import Compressed

_SHOWN = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the model, -o, --samples, --leave, --max-error, --by-node, --json and the options of inputs."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file of float32")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="default: the model's name with what it became"
    )
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="PATH",
        help="an .npz, .npy or picture file, or a folder of them: inputs as the model will see them",
    )
    parser.add_argument(
        "--leave", action="append", default=[], metavar="NODE", help="a node to leave alone; repeat"
    )
    parser.add_argument(
        "--max-error",
        type=float,
        metavar="X",
        help="leave the worst nodes alone until the error of every output is at most this part of it",
    )
    parser.add_argument("--by-node", action="store_true", help="measure the error of every node")
    add_input_options(parser)
    add_json_option(parser)


def output_of(options: argparse.Namespace, word: str) -> Path:
    """The file to write; UserError if it is the model itself."""
    source = Path(options.model)
    if not source.is_file():
        raise UserError(no_file(source))
    output = Path(options.output) if options.output else source.with_name(f"{source.stem}.{word}.onnx")
    refuse_to_overwrite(output, source)
    if output.is_dir():
        raise UserError(f"{output} is a folder; give a file with -o")
    if not output.parent.is_dir():
        raise UserError(f"there is no folder {output.parent}")
    return output


def samples_for(options: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    """Samples that the options name, else one that is random; and whether it is."""
    from sardonyx.frontend.summary import summarize
    from sardonyx.tools.samples import samples_of

    inputs = summarize(options.model).inputs
    if options.samples is None:
        check_names(inputs, options)
        values, invented = feeds_of(inputs, options)
        return [values], bool(invented)
    if not options.samples.exists():
        raise UserError(f"--samples {options.samples}: there is no such file")
    return samples_of(options.samples, inputs, mean=options.mean, std=options.std), False


def write(
    options: argparse.Namespace, output: Path, compress: Callable[..., Compressed], kind: str, **own: Any
) -> None:
    """Compress the model as the shared options and the command's `own` say, and print what it is worth."""
    samples, random = samples_for(options)
    shared = {name: getattr(options, name) for name in ("leave", "max_error", "by_node")}
    with status_line(f"writing {output}"):
        made = compress(options.model, output, kind, samples, **shared, **own)
    tell(options, made, random)


def tell(options: argparse.Namespace, made: Compressed, random: bool) -> None:
    """Print what was written: size, nodes, error, speed."""
    judgement = made.judgement
    if options.json:
        print_json({**vars(made), "judgement": judgement and vars(judgement), "random_samples": random})
        return
    print(f"{made.path}  {bytes_text(made.bytes_after)}, before {bytes_text(made.bytes_before)}")
    for note in made.notes:
        print(f"  {note}")
    print(
        f"  {count(len(made.changed), 'node')} rewritten"
        + (f", {len(made.left)} left alone:" if made.left else "")
    )
    if made.left:
        print(table([(name,) for name in _few(made.left)], indent="    "))
    if judgement is None:
        return
    origin = "one random input" if random else f"samples of {options.samples or 'the inputs'}"
    print(f"  error on {origin}, root mean square as a part of the output's:")
    unlike = judgement.unlike
    rows = [
        (name, f"{error:.1e}", _unlike_text(error, unlike.get(name, 0.0)))
        for name, error in judgement.errors.items()
    ]
    print(table(rows, indent="    "))
    before, after = judgement.seconds
    print(f"  a run takes {time_text(after)}, before {time_text(before)} ({before / after:.2f}x as fast)")
    if options.by_node:
        print("  nodes by the error that each makes alone:")
        listed = list(judgement.nodes.items())
        print(table([(name, f"{error:.1e}") for name, error in listed[:_SHOWN]], indent="    "))
        if len(listed) > _SHOWN:
            print(f"    and {len(listed) - _SHOWN} more (--json lists all)")


def _unlike_text(error: float, share: float) -> str:
    """Answers that differ: of floats the place of a row's largest, of others the value."""
    if not share:
        return ""
    return f"another is the largest in {share:.1%} of rows" if error else f"{share:.1%} of values differ"


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= _SHOWN else [*names[:_SHOWN], f"and {len(names) - _SHOWN} more"]
