"""A page for this machine alone: the graph of a model in Netron, its kernels with their times beside it.

Decides what stands on the page and which files are served; must not know how kernels are timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from sardonyx.base.explanation import count
from sardonyx.frontend.skeleton import skeleton
from sardonyx.gateway.console.kernels import measured
from sardonyx.gateway.console.netron import HEADERS, netron
from sardonyx.tools.console import UserError, time_text

_HERE = {
    **HEADERS,
    "content-security-policy": "default-src 'none'; frame-src 'self'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8885 }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; display: grid; height: 100vh;
  grid-template-columns: minmax(0, 1fr) 30rem }
iframe { border: 0; width: 100%; height: 100% }
aside { overflow: auto; padding: 0 1rem; border-left: 1px solid var(--line) }
h1 { font-size: 1.1rem } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem .25rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
th { font-weight: normal; opacity: .7 } .number { text-align: right; white-space: nowrap }
small { opacity: .7 }
@media (max-width: 60rem) { body { grid-template-columns: 1fr; grid-template-rows: 60vh auto; height: auto } }
"""


def application(path: Path, session: Any, sizes: Mapping[str, int]) -> Starlette:
    """The page at `/`, its numbers at `/kernels.json`, the model without its weights, and Netron.

    Raises:
        UserError: Netron is not installed.
        ServeError: the model cannot be run on random numbers of these sizes.
    """
    viewer = netron()
    if viewer is None:
        raise UserError("graphs are drawn by Netron, which is not installed; pip install 'sardonyx[view]'")
    found = measured(session, dict(sizes))
    content = skeleton(path)
    name = f"{quote(path.stem)}.onnx"

    async def show(request: Request) -> Response:
        return HTMLResponse(_page(path, session.report, found, name), headers=_HERE)

    async def numbers(request: Request) -> Response:
        return JSONResponse({"model": str(path), **found}, headers=_HERE)

    async def file(request: Request) -> Response:
        return Response(content, media_type="application/octet-stream", headers=HEADERS)

    routes = [
        Route("/", show),
        Route("/kernels.json", numbers),
        Route("/model.onnx", file),
        Mount("/netron", viewer),
    ]
    # A page elsewhere that has its own name point here must not read the model.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[hosts])


def _page(path: Path, report: Any, found: Mapping[str, Any], name: str) -> str:
    address = f"/netron/index.html?url={quote('/model.onnx', safe='')}&identifier={name}"
    rows = "".join(
        f"<tr><td>{_told(row)}</td>"
        f'<td class="number">{time_text(row["busy_s"])}</td><td class="number">{row["share"]:.1%}</td></tr>'
        for row in found["kernels"]
    )
    more = f"<p>and {found['others']} more</p>" if found["others"] else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(path.name)}</title>'
        f'<style>{_STYLE}</style><iframe src="{escape(address)}" title="The graph in Netron"></iframe>'
        f"<aside><h1>{escape(path.name)}</h1>"
        f"<p>{count(len(report.kernels), 'kernel')}, "
        f"{count(len(report.fallbacks), 'operator')} without native code; "
        f"{time_text(found['total_s'])} of all threads in a median run on random numbers, "
        f"{time_text(found['waiting_s'])} of it waiting.</p>"
        '<table><tr><th>kernel</th><th class="number">time</th><th class="number">share</th></tr>'
        f"{rows}</table>{more}</aside></html>"
    )


def _told(row: Mapping[str, Any]) -> str:
    """What a kernel computes, and in small letters for which nodes and how."""
    small = [text for text in (row["nodes"], row["plan"]) if text and text != row["operators"]]
    return escape(row["operators"]) + "".join(f"<br><small>{escape(text)}</small>" for text in small)
