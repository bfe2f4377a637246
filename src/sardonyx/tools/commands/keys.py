"""`sardonyx key`, `sardonyx audit`: who may ask, and who did what."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.server import add_server_options, administered, plain, seconds_of, time_ago

if TYPE_CHECKING:
    from sardonyx.client import Client


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "key",
        help="make, list or revoke API keys",
        description="API keys. Once there is one, the server asks for keys.",
    )
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    create = acts.add_parser("create", help="make a key and print it, this once")
    create.add_argument("name", metavar="NAME", help="what logs call it")
    create.add_argument("--role", default="", help="viewer, user, operator or admin")
    create.add_argument(
        "--scope", action="append", default=[], help="infer, metadata, repository, admin; instead of a role"
    )
    create.add_argument(
        "--models", action="append", default=[], metavar="PATTERN", help="only these (default *)"
    )
    create.add_argument("--quota", action="append", default=[], metavar="N/UNIT", help="such as 100/minute")
    create.add_argument("--expires", metavar="TIME", help="such as 12h or 30d")
    create.set_defaults(command_function=administered(_create))
    listing = acts.add_parser("list", help="list keys")
    listing.add_argument("--all", action="store_true", help="expired and revoked ones too")
    listing.set_defaults(command_function=administered(_list))
    revoke = acts.add_parser("revoke", help="let a key be good no more")
    revoke.add_argument("key_prefix", metavar="PREFIX", help="as `sardonyx key list` shows it")
    revoke.set_defaults(command_function=administered(_revoke))
    for act in (create, listing, revoke):
        add_server_options(act)

    audit: argparse.ArgumentParser = commands.add_parser(
        "audit", help="show who did what", description="Acts of administration, the newest first."
    )
    audit.add_argument("--subject", default="", metavar="TEXT", help="only subjects that begin so")
    audit.add_argument("--actor", default="", metavar="TEXT", help="only actors that begin so")
    audit.add_argument("--check", action="store_true", help="whether the log is what was written")
    audit.add_argument("--limit", type=int, default=30, metavar="N")
    add_server_options(audit)
    audit.set_defaults(command_function=administered(_audit))


def _create(options: argparse.Namespace, client: Client) -> int:
    key = client.create_key(
        options.name,
        role=options.role,
        scopes=options.scope,
        models=options.models or ["*"],
        quotas=options.quota,
        expires_in_s=None if options.expires is None else seconds_of(options.expires),
    )
    if options.json:
        print_json(plain(key))
    else:
        print(key.secret)
    return 0


def _list(options: argparse.Namespace, client: Client) -> int:
    found = client.api_keys(all=options.all)
    if options.json:
        print_json(plain(found))
        return 0
    rows = [
        (
            key.prefix,
            key.name,
            ",".join(key.scopes),
            " ".join(key.models),
            " ".join(key.quotas),
            f"expires {time_ago(key.expires_at)}" if key.expires_at else "",
            "revoked" if key.revoked_at else "",
            f"used {time_ago(key.last_used_at)}" if key.last_used_at else "",
        )
        for key in found
    ]
    print(table(rows, indent="") or "no key yet; `sardonyx key create NAME --role admin` makes one")
    return 0


def _revoke(options: argparse.Namespace, client: Client) -> int:
    key = client.revoke_key(options.key_prefix)
    print(f"{key.name} ({key.prefix}) is revoked")
    return 0


def _audit(options: argparse.Namespace, client: Client) -> int:
    if options.limit < 1:
        raise UserError("--limit takes a positive number")
    if options.check:
        return _check(options, client)
    entries = client.audit(limit=options.limit, subject=options.subject, actor=options.actor)
    if options.json:
        print_json(plain(entries))
        return 0
    rows = [
        (
            str(entry.number),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.actor,
            entry.action,
            entry.subject,
            " ".join(f"{key}={value}" for key, value in entry.detail.items()),
        )
        for entry in entries
    ]
    print(table(rows, indent="") or "nothing was done yet")
    return 0


def _check(options: argparse.Namespace, client: Client) -> int:
    found = client.check_audit()
    if options.json:
        print_json(plain(found))
    elif found.broken is None:
        print(f"{found.entries} entries, as they were written")
    else:
        print(f"entry {found.broken} is not what was written, or one before it was removed")
    return int(found.broken is not None)
