"""`sardonyx import`: models of MLflow or Triton come over, version by version."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.console import UserError, print_json, status_line, table
from sardonyx.tools.server import add_server_options, administered, missing, plain

if TYPE_CHECKING:
    from sardonyx.client import Client
    from sardonyx.client.bring import Brought
    from sardonyx.protocol.records import Version


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="bring models from MLflow or a Triton repository",
        description="Register what ORIGIN holds: mlflow:models:/NAME, mlflow:models:/NAME/3, "
        "mlflow:models:/NAME@champion, a folder that MLflow wrote, or a Triton model repository. What was "
        "imported before, from the same place with the same content, is left as it is.",
    )
    parser.add_argument("origin", metavar="ORIGIN")
    parser.add_argument("--name", default="", help="of a single model (default: as it is called there)")
    parser.add_argument("--force", action="store_true", help="register what fails checks, too")
    add_server_options(parser)
    parser.set_defaults(command_function=administered(_import))


def _import(options: argparse.Namespace, client: Client) -> int:
    from sardonyx.client.bring import brought

    rows, refused = [], 0
    try:
        with brought(options.origin, options.name) as found:
            for one in found:
                with status_line(f"checking {one.origin}"):
                    row = _registered(client, one, force=options.force)
                rows.append(row)
                refused += "why" in row
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise (UserError(_MLFLOW) if package in ("mlflow", "yaml") else missing(error)) from None
    if options.json:
        print_json(rows)
    else:
        print(table([_line(row) for row in rows], ""))
    return int(refused == len(rows))


_MLFLOW = "mlflow is missing; install it with: pip install 'sardonyx[mlflow]'"


def _registered(client: Client, one: Brought, *, force: bool) -> dict[str, Any]:
    from sardonyx.client import ServeError
    from sardonyx.client.bring import registered_as

    row: dict[str, Any] = {"name": one.name, "origin": one.origin}
    if one.source is None:
        return {**row, "why": one.why}
    try:
        there = registered_as(one, _versions(client, one.name))
        if there is not None:
            return {**row, "version": there.version, "note": "it was there already"}
        version = client.register(
            one.name,
            one.source,
            aliases=one.aliases,
            tags=one.tags,
            description=one.description,
            lineage=one.lineage,
            config=one.config,
            force=force,
        )
    except ServeError as error:
        return {**row, "why": error.message}
    return {**row, "version": version.version, "checks": plain(version.checks)}


def _line(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["name"], row["origin"], row.get("version", "left"), row.get("why") or row.get("note", "")


def _versions(client: Client, model: str) -> list[Version]:
    """Those that are registered, as far as one may see them."""
    from sardonyx.client import Code, ServeError

    try:
        return client.versions(model)
    except ServeError as error:
        if error.code in (Code.NOT_FOUND, Code.FORBIDDEN):
            return []
        raise
