"""The page with the graph of a model in Netron, and the file that it shows. Must not know graphs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.frontend.skeleton import skeleton
from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.netron import HEADERS, netron_folder
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.protocol.errors import Code, ServeError, not_found


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
        return Response(content, media_type="application/octet-stream", headers=HEADERS)
