"""`sardonyx task`: a model of the zoo at work on a file or a text."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sardonyx.ort.logger import FATAL, logging_at
from sardonyx.tools.console import UserError, print_json, progress_line, status_line, table
from sardonyx.tools.models import add_json_option


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "task",
        help="read, classify, detect, cut out, search, listen, speak",
        description="Run a task of the zoo on INPUT; without TASK, list the tasks.",
    )
    parser.add_argument("name", nargs="?", metavar="TASK", help="a task, one of its models, or an .onnx file")
    parser.add_argument("inputs", nargs="*", default=[], metavar="INPUT", help="a file, or a text and others")
    parser.add_argument("--model", metavar="MODEL", help="one of the task's models, or an .onnx file")
    parser.add_argument("--sample", action="store_true", help="in place of INPUT: the model's own sample")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the picture, the sound or the text there"
    )
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Run the task, or list all."""
    from sardonyx.zoo.tasks import answered

    if options.name is None:
        return _list(options)
    name, model, inputs = _asked(options)
    with status_line(name), progress_line(name), logging_at(FATAL):
        answer = answered(name, model, inputs)
    if options.json:
        print_json(answer.data)
    else:
        print(answer.text)
    output = options.output or ("speech.wav" if answer.sound is not None else None)
    if output:
        answer.save(output)
        if not options.json:
            print(f"{Path(output)} written")
    return 0


def _list(options: argparse.Namespace) -> int:
    from sardonyx.zoo.tasks import TASKS

    if options.json:
        shown = ("name", "takes", "gives", "models")
        print_json([{key: asdict(row)[key] for key in shown} for row in TASKS.values()])
        return 0
    rows = [("task", "takes", "gives", "models")]
    rows += [(row.name, row.takes, row.gives, ", ".join(row.models)) for row in TASKS.values()]
    print(table(rows, indent=""))
    return 0


def _asked(options: argparse.Namespace) -> tuple[str, str | None, list[str]]:
    """The task, the model and the inputs; a sample is told on stderr."""
    from sardonyx.zoo.tasks import sampled, task_of

    if options.inputs:
        if options.sample:
            raise UserError("give INPUT or --sample, not both")
        return options.name, options.model, options.inputs
    if options.sample:
        task, model, inputs = sampled(options.name, options.model)
        print(shlex.join(["sardonyx", "task", task, *inputs, "--model", model]), file=sys.stderr)
        return task, model, inputs
    row, _ = task_of(options.name)
    raise UserError(f"the task {row.name} needs INPUT: {row.takes}")
