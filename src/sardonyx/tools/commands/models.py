"""`sardonyx models`, `sardonyx model`: what is registered, and what of it can be changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.console import UserError, bytes_text, print_json, shape_text, table
from sardonyx.tools.server import add_server_options, administered, plain, time_ago

if TYPE_CHECKING:
    from sardonyx.client import Client
    from sardonyx.protocol.records import Version

STAGES = ("none", "staging", "production", "archived")


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    listing: argparse.ArgumentParser = commands.add_parser(
        "models", help="list registered models", description="List registered models."
    )
    listing.add_argument(
        "pattern", nargs="?", default="*", metavar="PATTERN", help="a shell pattern of names"
    )
    listing.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", help="only models with this tag"
    )
    add_server_options(listing)
    listing.set_defaults(command_function=administered(_list))

    parser: argparse.ArgumentParser = commands.add_parser(
        "model",
        help="show or change a registered model",
        description="Show a model; name a VERSION (3, @champion) to show it; options change what is named.",
    )
    parser.add_argument("model", metavar="MODEL[:VERSION|@ALIAS]")
    parser.add_argument(
        "--alias", action="append", default=[], metavar="NAME", help="let NAME point at the version"
    )
    parser.add_argument("--remove-alias", action="append", default=[], metavar="NAME")
    parser.add_argument("--stage", choices=STAGES, help="move the version to this stage")
    parser.add_argument("--describe", metavar="TEXT", help="describe it")
    parser.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE", help="KEY= removes a tag")
    parser.add_argument("--download", metavar="DIR", help="write the files of the version there")
    parser.add_argument(
        "--delete", action="store_true", help="remove the version, or the model with all of them"
    )
    add_server_options(parser)
    parser.set_defaults(command_function=administered(_model))


def split_reference(text: str) -> tuple[str, str]:
    """`digits:3` and `digits@champion` as name and reference; the reference may be empty."""
    if "@" in text:
        name, _, alias = text.partition("@")
        return name, f"@{alias}"
    name, _, version = text.partition(":")
    return name, version


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` texts as a dict."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise UserError(f"{option} {text}: expected KEY=VALUE")
        found[key] = value
    return found


def version_text(version: Version) -> str:
    """A version for readers."""
    lineage = {name: value for name, value in plain(version.lineage).items() if value}
    rows = [
        ("version", f"{version.model}:{version.version}{''.join(f' @{alias}' for alias in version.aliases)}"),
        ("stage", version.stage),
        ("digest", version.digest),
        ("size", bytes_text(version.size_bytes)),
        ("registered", f"{time_ago(version.created_at)} by {version.created_by}"),
        ("description", version.description),
        *(("tag", f"{key}={value}") for key, value in version.tags.items()),
        *lineage.items(),
        *(
            (f"input {spec.name}", f"{spec.type} {shape_text(spec.shape)}")
            for spec in version.signature.inputs
        ),
        *(
            (f"output {spec.name}", f"{spec.type} {shape_text(spec.shape)}")
            for spec in version.signature.outputs
        ),
        *((f"check {check.name}", f"{check.verdict} {check.detail}") for check in version.checks),
    ]
    return table([(name, value) for name, value in rows if value], indent="")


def _list(options: argparse.Namespace, client: Client) -> int:
    models = client.models(options.pattern, pairs(options.tag, "--tag"))
    if options.json:
        print_json(plain(models))
        return 0
    rows = [
        (
            model.name,
            f"{len(model.versions)} version{'' if len(model.versions) == 1 else 's'}",
            " ".join(f"@{alias}={version}" for alias, version in model.aliases.items()),
            " ".join(f"{key}={value}" for key, value in model.tags.items()),
            time_ago(model.created_at),
        )
        for model in models
    ]
    print(table(rows, indent="") if rows else "no model is registered; `sardonyx register NAME FILE` does it")
    return 0


def _model(options: argparse.Namespace, client: Client) -> int:
    name, reference = split_reference(options.model)
    _change(options, client, name, reference)
    if options.delete:
        if reference:
            client.delete_version(name, reference)
        else:
            client.delete_model(name)
        print(f"{options.model} is removed")
        return 0
    if options.download:
        version = client.download(name, reference or _default(client, name), options.download)
        print(f"{name}:{version.version} is in {options.download}")
        return 0
    model = client.model(name)
    versions = [client.version(name, reference)] if reference else client.versions(name)
    if options.json:
        print_json(plain(versions[0] if reference else {**plain(model), "versions": plain(versions)}))
    elif reference:
        print(version_text(versions[0]))
    else:
        print("\n".join(filter(None, (model.name, model.description))))
        print(table([_row(version) for version in versions]))
    return 0


def _change(options: argparse.Namespace, client: Client, name: str, reference: str) -> None:
    tags = {key: value or None for key, value in pairs(options.tag, "--tag").items()}
    if options.stage and not reference:
        raise UserError(f"a stage belongs to a version: write {name}:VERSION")
    if options.stage or (reference and (options.describe is not None or tags)):
        client.change_version(name, reference, stage=options.stage, description=options.describe, tags=tags)
    elif options.describe is not None or tags:
        client.change_model(name, description=options.describe, tags=tags)
    for alias in options.alias:
        client.set_alias(name, alias, reference or _default(client, name))
    for alias in options.remove_alias:
        client.remove_alias(name, alias)


def _default(client: Client, name: str) -> str:
    model = client.model(name)
    if not model.latest:
        raise UserError(f"{name} has no version yet")
    return model.aliases.get("champion", model.latest)


def _row(version: Version) -> tuple[str, ...]:
    worst = [check.name for check in version.checks if check.verdict in ("failed", "warning")]
    return (
        version.version,
        " ".join(f"@{alias}" for alias in version.aliases),
        version.stage if version.stage != "none" else "",
        bytes_text(version.size_bytes),
        version.digest[:12],
        time_ago(version.created_at),
        f"see {', '.join(worst)}" if worst else "",
    )
