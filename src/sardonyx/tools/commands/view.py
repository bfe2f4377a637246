"""`sardonyx view`: the graph of a model in a browser, its kernels and their times beside it."""

from __future__ import annotations

import argparse
import contextlib
import webbrowser
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError, status_line
from sardonyx.tools.inputs import parse_sizes
from sardonyx.tools.models import add_model_options, open_session
from sardonyx.tools.server import port

HOST = "127.0.0.1"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "view",
        help="look at a model's graph and kernels in a browser",
        description="Show MODEL in a browser: its graph, drawn by Netron, and beside it its kernels with "
        "their times on random numbers. Only this machine sees the page, which asks no other for anything.",
    )
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument(
        "--dim", action="append", default=[], metavar="NAME=SIZE", help="the size of a free dimension"
    )
    parser.add_argument("--port", type=port, default=0, metavar="N", help="default: any that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Serve the page until it is interrupted."""
    sizes = parse_sizes(options.dim)
    try:
        import uvicorn

        from sardonyx.serve.ports import bound
        from sardonyx.tools.viewer import application
    except ModuleNotFoundError as error:
        raise UserError(f"the viewer needs {error.name}; pip install 'sardonyx[view]'") from error
    session, _ = open_session(options)
    with status_line(f"timing the kernels of {options.model}"):
        served = application(Path(options.model), session, sizes)
    with contextlib.closing(bound(HOST, options.port, "--port")) as door:
        door.listen()
        address = f"http://{HOST}:{door.getsockname()[1]}/"
        print(f"{options.model} at {address} until Ctrl-C", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        settings = uvicorn.Config(served, log_level="warning", lifespan="off")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run([door])
    return 0
