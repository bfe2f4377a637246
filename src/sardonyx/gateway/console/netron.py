"""Netron's folder, served as it is but for what phones home.

Decides what Netron may do: nothing but look at files of this server. Must not know models.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = {"content-security-policy": _CONTENT, "x-frame-options": "SAMEORIGIN"}
_VERSION = re.compile(r'<meta name="version" content="[^"]*">')
_DATE = re.compile(r'\s*<meta name="date" content="[^"]*">')


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
    """Netron's files; its page says that it is not a release, which turns telemetry and updates off."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        page = (folder / "index.html").read_text(encoding="utf-8")
        self._page = _DATE.sub("", _VERSION.sub('<meta name="version" content="0.0.0">', page))

    async def get_response(self, path: str, scope: object) -> Response:
        """See StaticFiles; only files of the viewer, none of Python."""
        if path == "index.html":
            response: Response = HTMLResponse(self._page, headers=HEADERS)
            response.set_cookie("consent", "1", samesite="strict", path=_root(scope))
            return response
        if not path.endswith((".js", ".css", ".json", ".png", ".ico")):
            return Response(status_code=404)
        response = await super().get_response(path, scope)  # type: ignore[arg-type]
        response.headers.update(HEADERS)
        response.headers["cache-control"] = "private, max-age=3600"
        return response


def _root(scope: object) -> str:
    return str(scope["root_path"]) or "/" if isinstance(scope, dict) else "/"
