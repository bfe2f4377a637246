"""The graph of a model in Netron, whose folder is served as it is but for what phones home.

Decides what Netron may do: nothing but look at files of this server. Must not know graphs.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from sardonyx.frontend.skeleton import skeleton
from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.models import ModelPages
from sardonyx.protocol.errors import Code, ServeError, not_found

_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)
_HEADERS = {"content-security-policy": _CONTENT, "x-frame-options": "SAMEORIGIN"}
_VERSION = re.compile(r'<meta name="version" content="[^"]*">')
_DATE = re.compile(r'\s*<meta name="date" content="[^"]*">')


class GraphPages:
    """Handlers of this page and of the model's file."""

    def __init__(self, desk: Desk, models: ModelPages) -> None:
        self._desk, self._models = desk, models

    async def show(self, request: Request) -> Response:
        """The page with Netron in it."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "metadata", name)
        about = self._models.about(name, request.query_params.get("version", ""))
        root = request.scope.get("root_path", "")
        file = f"{root}/models/{segment(name)}/file/{segment(name)}.onnx"
        address = f"{root}/netron/index.html?url={quote(file, safe='')}&identifier={segment(name)}.onnx"
        shown = netron_folder() is not None and getattr(about["model"], "session", None) is not None
        return self._desk.page(
            request,
            "graph.html",
            "models",
            who,
            address=address,
            shown=shown,
            here_is=netron_folder(),
            **about,
        )

    async def file(self, request: Request) -> Response:
        """The model without its weights."""
        name = request.path_params["model"]
        self._desk.admit(request, "metadata", name)
        model = self._desk.parts.core.model(name, request.query_params.get("version", ""))
        path = Path(model.offer.path)
        if not path.is_file():
            raise not_found(f"{name!r} has no file of its own")
        try:
            content = await run_in_threadpool(skeleton, path)
        except OSError as error:
            raise ServeError(Code.UNAVAILABLE, f"the file of {name!r} cannot be read now") from error
        return Response(content, media_type="application/octet-stream", headers=_HEADERS)


@cache
def netron_folder() -> Path | None:
    """Where Netron's files are; None if it is not installed."""
    found = importlib.util.find_spec("netron")
    return Path(found.origin).parent if found is not None and found.origin else None


def netron() -> Netron | None:
    """The application with Netron's files; None if it is not installed."""
    folder = netron_folder()
    return Netron(folder) if folder is not None else None


class Netron(StaticFiles):
    """Netron's files; its page says that it is no release, which turns telemetry and updates off."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        page = (folder / "index.html").read_text(encoding="utf-8")
        self._page = _DATE.sub("", _VERSION.sub('<meta name="version" content="0.0.0">', page))

    async def get_response(self, path: str, scope: object) -> Response:
        """See StaticFiles; only files of the viewer, none of Python."""
        if path == "index.html":
            response: Response = HTMLResponse(self._page, headers=_HEADERS)
            response.set_cookie("consent", "1", samesite="strict", path=_root(scope))
            return response
        if not path.endswith((".js", ".css", ".json", ".png", ".ico")):
            return Response(status_code=404)
        response = await super().get_response(path, scope)  # type: ignore[arg-type]
        response.headers.update(_HEADERS)
        response.headers["cache-control"] = "private, max-age=3600"
        return response


def _root(scope: object) -> str:
    return str(scope["root_path"]) or "/" if isinstance(scope, dict) else "/"
