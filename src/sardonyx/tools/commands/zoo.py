"""`sardonyx zoo`: which models there are, what is known of one, and bringing them here."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sardonyx.base import dataclass as quick
from sardonyx.tools.console import UserError, bytes_text, print_json, shape_text, table
from sardonyx.tools.models import add_json_option

if TYPE_CHECKING:
    from sardonyx.zoo import Model


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "zoo",
        help="list, search, show or bring models",
        description="Models by name, hf://org/repo[@revision]/file, https://...[#sha256=...] or "
        "oci://host/repository:tag[/file].",
    )
    parser.add_argument("action", choices=tuple(ACTIONS), metavar="ACTION", help=", ".join(ACTIONS))
    parser.add_argument("what", nargs="*", default=[], metavar="WHAT", help="words to search for, or models")
    parser.add_argument("--refresh", action="store_true", help="pull: ask again for what is there")
    parser.add_argument("--quiet", action="store_true", help="pull: no progress")
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Do the action."""
    if options.action != "list" and not options.what:
        raise UserError(f"`sardonyx zoo {options.action}` of what? Give words or the name of a model")
    return ACTIONS[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from sardonyx.zoo import models
    from sardonyx.zoo.tasks import tasks_of

    words = [word.lower() for word in options.what]
    found = [row for row in models() if all(word in _told(row) for word in words)]
    if options.json:
        print_json([_fields(row) for row in found])
        return 0
    rows = [("name", "works on", "task", "size", "", "what it is")]
    for row in found:
        here = "here" if row.path.is_file() else ""
        tasks = ", ".join(tasks_of(row.name))
        rows.append((row.name, row.category, tasks, bytes_text(row.size), here, row.what))
    print(table(rows, indent="") if found else "nothing found; `sardonyx zoo list` shows all models")
    return 0 if found else 1


def _show(options: argparse.Namespace) -> int:
    from sardonyx.frontend.summary import summarize
    from sardonyx.zoo.catalog import catalog, model
    from sardonyx.zoo.tasks import tasks_of

    try:
        row = model(options.what[0])
    except KeyError as error:
        from sardonyx.zoo import FetchError

        raise FetchError(str(error.args[0])) from error
    source = catalog().packages[row.package]
    summary = summarize(row.path) if row.path.is_file() else None
    if options.json:
        signature = summary and {
            side: [quick.asdict(info) for info in infos]
            for side, infos in (("inputs", summary.inputs), ("outputs", summary.outputs))
        }
        print_json({**_fields(row), "source": asdict(source), "signature": signature})
        return 0
    facts = [
        ("name", row.name),
        ("what it is", row.what),
        ("works on", row.category),
        ("task", ", ".join(tasks_of(row.name)) or "none of `sardonyx task`"),
        ("numbers", row.precision),
        ("licence", row.licence),
        ("source", f"{source.name} {source.version} ({source.kind}, {bytes_text(source.size)})"),
        ("sha256", row.sha256),
        ("size", bytes_text(row.size)),
        ("here", str(row.path) if summary else "no"),
    ]
    if row.sample is not None:
        facts += [("sample", shlex.join(row.sample.inputs)), ("answers", row.sample.answer)]
    facts += [("next", _next(row, here=summary is not None))]
    print(table(facts, indent=""))
    for title, infos in (("inputs", summary.inputs), ("outputs", summary.outputs)) if summary else ():
        print(title)
        print(table([(info.name, info.type, shape_text(info.shape)) for info in infos]))
    return 0


def _told(row: Model) -> str:
    """What search looks through."""
    from sardonyx.zoo.tasks import tasks_of

    return " ".join((row.name, row.category, *tasks_of(row.name), row.what, row.licence)).lower()


def _fields(row: Model) -> dict[str, Any]:
    from sardonyx.zoo.tasks import tasks_of

    return {**asdict(row), "tasks": tasks_of(row.name), "here": row.path.is_file()}


def _next(row: Model, *, here: bool) -> str:
    """The command to type next; those of tasks bring the model by themselves."""
    from sardonyx.zoo.tasks import TASKS, tasks_of

    tasks = tasks_of(row.name)
    if row.sample is not None:
        return f"sardonyx task {row.name} --sample"
    if tasks:
        return f"sardonyx task {row.name} INPUT   (INPUT: {TASKS[tasks[0]].takes})"
    return f"sardonyx run {shlex.quote(str(row.path))}" if here else f"sardonyx zoo pull {row.name}"


def _pull(options: argparse.Namespace) -> int:
    from sardonyx.zoo import pull

    paths = [str(pull(text, refresh=options.refresh, quiet=options.quiet)) for text in options.what]
    if options.json:
        print_json(dict(zip(options.what, paths, strict=True)))
    else:
        print("\n".join(paths))
    return 0


ACTIONS = {"list": _list, "search": _list, "show": _show, "pull": _pull}
