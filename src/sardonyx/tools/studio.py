"""`sardonyx vision studio`: the console's pages of custom vision, for this machine alone.

Decides how the server behind them is set up; must not know what the pages do.
"""

from __future__ import annotations

import argparse
import asyncio
import webbrowser
from typing import Any

from sardonyx.tools.console import UserError
from sardonyx.tools.server import missing


def serve_studio(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; what is deployed goes to the registry in the home folder."""
    try:
        from sardonyx.database import home_folder
        from sardonyx.gateway.options import GatewayOptions
        from sardonyx.gateway.run import serve
        from sardonyx.protocol.errors import ServeError
        from sardonyx.serve.options import ServeOptions
        from sardonyx.serve.server import loop_factory
    except ModuleNotFoundError as error:
        raise missing(error) from None
    if options.source is not None:
        raise UserError(f"the studio takes no {options.source!r}: bring pictures on its pages")
    if not 0 <= options.port < 1 << 16:
        raise UserError(f"--port {options.port}: give 0 (any) to 65535")

    def announce(gateway: Any) -> None:
        address = f"{gateway.server.http_url}/console/vision"
        print(f"studio at {address} until Ctrl-C", flush=True)
        if not options.no_browser:
            webbrowser.open(address)

    home = GatewayOptions(
        home=home_folder(options.home), database=options.database, artefacts=options.artefacts, trusted=True
    )
    work = serve([], "", ServeOptions(http_port=options.port, grpc_port=0), home, announce)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(work)
    except ServeError as error:
        raise UserError(error.message) from error
    return 0
