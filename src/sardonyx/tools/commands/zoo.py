"""`sardonyx zoo`: which models there are, what is known of one, and bringing them here."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from sardonyx.base import dataclass as quick
from sardonyx.tools.console import UserError, bytes_text, print_json, shape_text, table
from sardonyx.tools.models import add_json_option


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

    words = [word.lower() for word in options.what]
    found = [
        row
        for row in models()
        if all(word in f"{row.name} {row.category} {row.what} {row.licence}".lower() for word in words)
    ]
    if options.json:
        print_json([{**asdict(row), "here": row.path.is_file()} for row in found])
        return 0
    rows = [("name", "task", "size", "", "what it is")]
    for row in found:
        here = "here" if row.path.is_file() else ""
        rows.append((row.name, row.category, bytes_text(row.size), here, row.what))
    print(table(rows, indent="") if found else "nothing found")
    return 0 if found else 1


def _show(options: argparse.Namespace) -> int:
    from sardonyx.frontend.summary import summarize
    from sardonyx.zoo.catalog import catalog, model

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
        print_json({**asdict(row), "source": asdict(source), "signature": signature})
        return 0
    facts = [
        ("name", row.name),
        ("what it is", row.what),
        ("task", row.category),
        ("numbers", row.precision),
        ("licence", row.licence),
        ("source", f"{source.name} {source.version} ({source.kind}, {bytes_text(source.size)})"),
        ("sha256", row.sha256),
        ("size", bytes_text(row.size)),
        ("here", str(row.path) if summary else "no; `sardonyx zoo pull` brings it"),
    ]
    if row.sample is not None:
        facts += [("sample", f"{row.sample.command} --model {row.name}"), ("answers", row.sample.answer)]
    print(table(facts, indent=""))
    for title, infos in (("inputs", summary.inputs), ("outputs", summary.outputs)) if summary else ():
        print(title)
        print(table([(info.name, info.type, shape_text(info.shape)) for info in infos]))
    return 0


def _pull(options: argparse.Namespace) -> int:
    from sardonyx.zoo import pull

    paths = [str(pull(text, refresh=options.refresh, quiet=options.quiet)) for text in options.what]
    if options.json:
        print_json(dict(zip(options.what, paths, strict=True)))
    else:
        print("\n".join(paths))
    return 0


ACTIONS = {"list": _list, "search": _list, "show": _show, "pull": _pull}
