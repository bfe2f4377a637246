"""`sardonyx endpoint`, `deploy`, `undeploy`: names that clients ask, and the versions behind them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sardonyx.tools.commands.models import split_reference
from sardonyx.tools.console import print_json, table
from sardonyx.tools.server import add_server_options, administered, plain, time_ago

if TYPE_CHECKING:
    from sardonyx.client import Client
    from sardonyx.protocol.records import Endpoint


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "endpoint",
        help="list, show, make or remove endpoints",
        description="List endpoints, or show one. `sardonyx deploy` makes endpoints too.",
    )
    parser.add_argument("endpoint", nargs="?", metavar="ENDPOINT")
    parser.add_argument("--create", action="store_true", help="make it")
    parser.add_argument("--describe", default="", metavar="TEXT")
    parser.add_argument(
        "--sticky-header",
        default="",
        metavar="NAME",
        help="requests with the same value of it go the same way",
    )
    parser.add_argument("--differences", action="store_true", help="show answers of shadows that differed")
    parser.add_argument("--delete", action="store_true", help="remove it; its models stay")
    add_server_options(parser)
    parser.set_defaults(command_function=administered(_endpoint))

    deploy: argparse.ArgumentParser = commands.add_parser(
        "deploy",
        help="put a model version under an endpoint",
        description="Put a version of MODEL (default: its champion, else its newest) under ENDPOINT. "
        "A new endpoint is made. An alias is followed when it moves. The first deployment gets all traffic.",
    )
    deploy.add_argument("endpoint", metavar="ENDPOINT")
    deploy.add_argument("model", metavar="MODEL[:VERSION|@ALIAS]")
    deploy.add_argument("--name", default="", help="of the deployment (default blue, green, ...)")
    deploy.add_argument("--weight", type=float, default=0, metavar="PERCENT", help="of the traffic")
    deploy.add_argument(
        "--shadow", type=float, default=0, metavar="PERCENT", help="of requests that it answers unseen"
    )
    add_server_options(deploy)
    deploy.set_defaults(command_function=administered(_deploy))

    undeploy: argparse.ArgumentParser = commands.add_parser(
        "undeploy", help="remove a deployment", description="Remove a deployment that has no traffic."
    )
    undeploy.add_argument("endpoint", metavar="ENDPOINT")
    undeploy.add_argument("deployment", metavar="DEPLOYMENT")
    add_server_options(undeploy)
    undeploy.set_defaults(command_function=administered(_undeploy))


def show(options: argparse.Namespace, endpoint: Endpoint) -> int:
    """Print an endpoint."""
    if options.json:
        print_json(plain(endpoint))
        return 0
    print(endpoint_text(endpoint))
    return 0


def endpoint_text(endpoint: Endpoint) -> str:
    """An endpoint for readers."""
    sticky = f", sticky by {endpoint.sticky_header}" if endpoint.sticky_header else ""
    lines = [f"{endpoint.name}{sticky}"]
    if endpoint.description:
        lines.append(endpoint.description)
    lines.append(
        table(
            [
                (
                    deployment.name,
                    f"{deployment.model}:{deployment.version}",
                    deployment.reference if deployment.reference.startswith("@") else "",
                    f"{deployment.weight:g} %",
                    f"shadow {deployment.shadow:g} %" if deployment.shadow else "",
                )
                for deployment in endpoint.deployments
            ]
        )
        or "  no deployment yet; `sardonyx deploy` makes one"
    )
    canary = endpoint.canary
    if canary is not None:
        step = f"step {canary.step + 1} of {len(canary.plan.steps)}" if canary.state == "running" else ""
        lines.append(
            f"canary of {canary.deployment}: {canary.state.replace('_', ' ')} {step} {canary.reason}".rstrip()
        )
    return "\n".join(lines)


def _endpoint(options: argparse.Namespace, client: Client) -> int:
    if options.endpoint is None:
        endpoints = client.endpoints()
        if options.json:
            print_json(plain(endpoints))
        else:
            texts = [endpoint_text(endpoint) for endpoint in endpoints]
            print("\n".join(texts) or "no endpoint yet; `sardonyx deploy ENDPOINT MODEL` makes one")
        return 0
    if options.delete:
        client.delete_endpoint(options.endpoint)
        print(f"{options.endpoint} is removed")
        return 0
    if options.differences:
        return _differences(options, client)
    if options.create:
        client.create_endpoint(
            options.endpoint, description=options.describe, sticky_header=options.sticky_header
        )
    return show(options, client.endpoint(options.endpoint))


def _differences(options: argparse.Namespace, client: Client) -> int:
    found = client.differences(options.endpoint)
    if options.json:
        print_json(plain(found))
        return 0
    rows = [
        (time_ago(one.at), f"{one.deployment} / {one.shadow}", one.request, str(one.detail)) for one in found
    ]
    print(table(rows, indent="") or "no answer of a shadow differed")
    return 0


def _deploy(options: argparse.Namespace, client: Client) -> int:
    model, reference = split_reference(options.model)
    endpoint = client.deploy(
        options.endpoint, model, reference, name=options.name, weight=options.weight, shadow=options.shadow
    )
    return show(options, endpoint)


def _undeploy(options: argparse.Namespace, client: Client) -> int:
    return show(options, client.undeploy(options.endpoint, options.deployment))
