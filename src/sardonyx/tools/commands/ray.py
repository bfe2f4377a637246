"""`sardonyx ray`: the registry's models over the machines of a Ray cluster."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from typing import Any

from sardonyx.serve.ending import ending_signals
from sardonyx.tools.console import UserError
from sardonyx.tools.server import missing, port


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "ray",
        help="serve the registry on a Ray cluster",
        description="Serve the models of a registry as an application of Ray Serve, until it is interrupted. "
        "The same can be said in a serve.yaml: see docs/ray.md.",
    )
    parser.add_argument("--database", required=True, metavar="URL", help="of the registry; from every node")
    parser.add_argument("--artefacts", required=True, metavar="URL", help="of its files; from every node")
    parser.add_argument("--address", default="auto", help="of the cluster (default auto); local starts one")
    parser.add_argument("--models", default="*", metavar="PATTERN,...", help="of the registry (default all)")
    parser.add_argument("--replicas", type=int, default=1, metavar="N")
    parser.add_argument("--max-replicas", type=int, default=0, metavar="N", help="as load demands")
    parser.add_argument("--cpus", type=float, default=1, metavar="N", help="of a replica (default 1)")
    parser.add_argument(
        "--multiplexed", type=int, default=0, metavar="N", help="models that a replica holds; 0 = all of them"
    )
    parser.add_argument("--front", default="", metavar="RESOURCE", help="of the nodes that take requests")
    parser.add_argument("--require-keys", action="store_true", help="even while there is no key")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http-port", type=port, default=8000, metavar="N")
    parser.add_argument("--grpc-port", type=port, default=8001, metavar="N")
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray import serve

        from sardonyx.gateway.ray import APPLICATION, ClusterOptions, build
    except ModuleNotFoundError as error:
        if error.name == "ray":
            raise UserError("ray is missing; install it with: pip install 'sardonyx[ray]'") from None
        raise missing(error) from None
    names = ClusterOptions.__dataclass_fields__
    args = {name: value for name, value in vars(options).items() if name in names}
    try:
        ray.init(None if options.address == "local" else options.address, logging_level="warning")
    except ConnectionError as error:
        raise UserError(
            f"there is no Ray cluster at {options.address}; --address local starts one"
        ) from error
    serve.start(
        http_options={"host": options.host, "port": options.http_port},
        grpc_options={
            "port": options.grpc_port,
            "grpc_servicer_functions": ["sardonyx.gateway.ray.add_servicer"],
        },
    )
    ended = threading.Event()
    for number in ending_signals():
        signal.signal(number, lambda *_: ended.set())
    serve.run(build(args), name=APPLICATION, route_prefix="/")
    print(
        f"ready http://{options.host}:{options.http_port} grpc://{options.host}:{options.grpc_port}",
        flush=True,
    )
    ended.wait()
    serve.shutdown()
    ray.shutdown()
    return 0
