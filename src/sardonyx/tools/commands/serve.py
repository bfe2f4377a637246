"""`sardonyx serve`: models over REST and gRPC until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="serve models over REST and gRPC",
        description="Serve MODEL by the Open Inference Protocol v2. Prints one line when it is ready.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="an .onnx file, or a folder of models (NAME.onnx, NAME/1/model.onnx)"
    )
    parser.add_argument("--name", default="", help="name of a single model (default: that of its file)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http-port", type=int, default=8000, metavar="N", help="0 = any free port")
    parser.add_argument("--grpc-port", type=int, default=8001, metavar="N", help="0 = any free port")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of a run; 0 = all cores")
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    try:
        from sardonyx.gateway.run import serve
        from sardonyx.protocol.errors import ServeError
        from sardonyx.serve.options import ServeOptions
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing; install it with: pip install 'sardonyx[serve]'") from None
    settings = ServeOptions(
        host=options.host, http_port=options.http_port, grpc_port=options.grpc_port, threads=options.threads
    )
    try:
        asyncio.run(serve(Path(options.model), options.name, settings, _announce))
    except ServeError as error:
        raise UserError(error.message) from error
    return 0


def _announce(server: Any) -> None:
    print(f"ready {server.http_url} {server.grpc_url} console {server.http_url}/console", flush=True)
