"""The page that says where the time of a model goes: kernels timed by the engine, and what it decided.

Must not know how kernels are timed.
"""

from __future__ import annotations

import threading
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.kernels import free_sizes, measured
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.protocol.errors import Code, ServeError, invalid


class ProfilePages:
    """Handlers of this page."""

    def __init__(self, desk: Desk, models: ModelPages) -> None:
        self._desk, self._models = desk, models
        self._running = threading.Lock()

    async def show(self, request: Request) -> Response:
        """What the compiler decided; times are measured on demand."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "metadata", name)
        return self._page(request, name, who, None)

    async def measure(self, request: Request) -> Response:
        """Run the model on random numbers for about a second and show where the time went."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "repository", name)
        form = await self._desk.form(request)
        sizes = {key[5:]: _side(str(value)) for key, value in form.items() if key.startswith("size.")}
        session = _session(self._desk.parts.core.model(name, str(form.get("version", ""))))
        measured = await run_in_threadpool(self._measure, session, sizes)
        return self._page(request, name, who, {**measured, "sizes": sizes})

    def _page(self, request: Request, name: str, who: Any, measured: dict[str, Any] | None) -> Response:
        about = self._models.about(name, request.query_params.get("version", ""))
        session = getattr(about["model"], "session", None)
        report = session.report if session is not None else None
        free = free_sizes(session) if session is not None else []
        return self._desk.page(
            request,
            "profile.html",
            "models",
            who,
            report=report,
            counters=_counters(report) if report is not None else {},
            stages=sorted(report.timings, key=lambda t: -t.elapsed_ms)[:8] if report is not None else [],
            free=free,
            measured=measured,
            **about,
        )

    def _measure(self, session: Any, sizes: dict[str, int]) -> dict[str, Any]:
        if not self._running.acquire(timeout=10):
            raise ServeError(
                Code.UNAVAILABLE, "another profile is being measured; try again in a moment", 2.0
            )
        try:
            return measured(session, sizes)
        finally:
            self._running.release()


def _session(model: Any) -> Any:
    session = getattr(model, "session", None)
    if session is None:
        raise ServeError(Code.UNSUPPORTED, "an ensemble has no kernels of its own; look at its models")
    return session


def _side(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1 << 20:
        raise invalid(f"{text!r} is not a size: give a whole number from 1 on")
    return int(text)


def _counters(report: Any) -> dict[str, Any]:
    fused = sum(len(note.origins) for note in report.kernels)
    return {
        "Kernels": len(report.kernels),
        "Nodes in them": fused,
        "Without native code": len(report.fallbacks),
        "Weights": report.counters.get("weight_bytes"),
        "Memory between kernels": report.counters.get("arena_bytes"),
    }
