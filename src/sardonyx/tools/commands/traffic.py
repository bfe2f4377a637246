"""`sardonyx traffic`, `promote`, `rollback`, `canary`: which deployment answers how much."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.commands.endpoints import show
from sardonyx.tools.commands.models import pairs
from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.server import add_server_options, administered, plain, seconds_of, time_ago

if TYPE_CHECKING:
    from sardonyx.client import Client


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    traffic: argparse.ArgumentParser = commands.add_parser(
        "traffic",
        help="show or spread the traffic of an endpoint",
        description="Spread traffic, as in `traffic ENDPOINT blue=90 green=10`; without weights, show it.",
    )
    traffic.add_argument("endpoint", metavar="ENDPOINT")
    traffic.add_argument("weights", nargs="*", metavar="DEPLOYMENT=PERCENT", help="100 together")
    traffic.add_argument(
        "--shadow",
        action="append",
        default=[],
        metavar="DEPLOYMENT=PERCENT",
        help="asked too, answers unseen",
    )
    traffic.add_argument("--reason", default="", help="for the audit log")
    add_server_options(traffic)
    traffic.set_defaults(command_function=administered(_traffic))

    promote: argparse.ArgumentParser = commands.add_parser(
        "promote", help="give all traffic to a deployment", description="Give all traffic to one deployment."
    )
    promote.add_argument("endpoint", metavar="ENDPOINT")
    promote.add_argument("deployment", nargs="?", default="", metavar="DEPLOYMENT")
    promote.add_argument("--reason", default="", help="for the audit log")
    add_server_options(promote)
    promote.set_defaults(command_function=administered(_promote))

    rollback: argparse.ArgumentParser = commands.add_parser(
        "rollback", help="traffic as before", description="Spread traffic as before the last change."
    )
    rollback.add_argument("endpoint", metavar="ENDPOINT")
    rollback.add_argument("--reason", default="", help="for the audit log")
    add_server_options(rollback)
    rollback.set_defaults(command_function=administered(_rollback))
    _add_canary(commands)


def _add_canary(commands: Any) -> None:
    canary: argparse.ArgumentParser = commands.add_parser(
        "canary",
        help="move traffic to a deployment step by step",
        description="Move traffic to DEPLOYMENT step by step while its error rate and latency hold, and back "
        "by itself when they do not. Without DEPLOYMENT, show how far it is.",
    )
    canary.add_argument("endpoint", metavar="ENDPOINT")
    canary.add_argument("deployment", nargs="?", default="", metavar="DEPLOYMENT")
    canary.add_argument("--steps", default="5,25,50,100", metavar="PERCENT,...")
    canary.add_argument(
        "--interval", default="5m", metavar="TIME", help="how long a step is held (default 5m)"
    )
    canary.add_argument("--min-requests", type=int, default=20, metavar="N", help="per step (default 20)")
    canary.add_argument("--max-error-rate", type=float, default=0.01, metavar="RATE", help="default 0.01")
    canary.add_argument(
        "--max-latency-ratio", type=float, default=1.5, metavar="RATIO", help="to the others (default 1.5)"
    )
    canary.add_argument("--quantile", type=float, default=0.95, help="of the latency (default 0.95)")
    canary.add_argument("--cancel", action="store_true", help="stop where it is")
    add_server_options(canary)
    canary.set_defaults(command_function=administered(_canary))


def _percentages(texts: list[str], option: str) -> dict[str, float]:
    found = {}
    for name, value in pairs(texts, option).items():
        try:
            found[name] = float(value.removesuffix("%"))
        except ValueError:
            raise UserError(f"{name}={value}: {value!r} is not a percentage") from None
    return found


def _traffic(options: argparse.Namespace, client: Client) -> int:
    if options.weights or options.shadow:
        weights = _percentages(options.weights, "traffic") if options.weights else None
        shadows = _percentages(options.shadow, "--shadow") if options.shadow else None
        return show(
            options, client.set_traffic(options.endpoint, weights, shadows=shadows, reason=options.reason)
        )
    history = client.traffic(options.endpoint)
    if options.json:
        print_json(plain(history))
        return 0
    rows = [
        (
            f"{'*' if row.current else ' '} {row.number}",
            " ".join(f"{name}={weight:g}" for name, weight in row.weights.items()),
            " ".join(f"shadow {name}={share:g}" for name, share in row.shadows.items()),
            time_ago(row.created_at),
            row.created_by,
            row.reason,
        )
        for row in history
    ]
    print(table(rows, indent="") or f"{options.endpoint} has no traffic yet")
    return 0


def _promote(options: argparse.Namespace, client: Client) -> int:
    return show(options, client.promote(options.endpoint, options.deployment, reason=options.reason))


def _rollback(options: argparse.Namespace, client: Client) -> int:
    return show(options, client.rollback(options.endpoint, reason=options.reason))


def _canary(options: argparse.Namespace, client: Client) -> int:
    from sardonyx.protocol.records import CanaryPlan

    if options.cancel:
        return show(options, client.cancel_canary(options.endpoint))
    if not options.deployment:
        return show(options, client.endpoint(options.endpoint))
    try:
        steps = tuple(float(step) for step in options.steps.split(","))
    except ValueError:
        raise UserError(f"--steps {options.steps}: expected percentages such as 5,25,50,100") from None
    plan = CanaryPlan(
        deployment=options.deployment,
        steps=steps,
        interval_s=seconds_of(options.interval),
        min_requests=options.min_requests,
        max_error_rate=options.max_error_rate,
        max_latency_ratio=options.max_latency_ratio,
        quantile=options.quantile,
    )
    return show(options, client.start_canary(options.endpoint, plan))
