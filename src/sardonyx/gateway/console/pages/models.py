"""The pages of models: the overview, the list, one model with its signature, versions and life.

Decides what is said of a model. Must not know how it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sardonyx.gateway.console import live
from sardonyx.gateway.console.access import Visitor
from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.pages.listed import part_of
from sardonyx.gateway.console.registered import Registered, origins, registered, verdict
from sardonyx.protocol.errors import ServeError, not_found
from sardonyx.serve.opening import Servable

_STATES = {"READY": "good", "LOADING": "warn", "UNLOADING": "warn", "UNAVAILABLE": "bad"}


class ModelPages:
    """Handlers of these pages."""

    def __init__(self, desk: Desk, closing: asyncio.Event) -> None:
        self._desk = desk
        self._closing = closing

    async def overview(self, request: Request) -> Response:
        """How the server does now."""
        who = self._desk.admit(request)
        served = self._served(who)
        rows = [row for versions in served.values() for row in versions]
        part = part_of(_states_of(served), {})
        return self._desk.page(
            request,
            "overview.html",
            "overview",
            who,
            tiles=live.tiles(self._desk.parts),
            models=[self._line(name, served[name]) for name in part.names],
            part=part,
            ready=sum(row["state"] == "READY" for row in rows),
            versions=len(rows),
            alerts=self._alerts(who),
            url=self._desk.url(request),
        )

    async def models(self, request: Request) -> Response:
        """The models that are or could be served, those that were asked for, some at a time."""
        who = self._desk.admit(request)
        served = self._served(who)
        part = part_of(_states_of(served), request.query_params)
        lines = [self._line(name, served[name]) for name in part.names]
        return self._desk.page(request, "models.html", "models", who, models=lines, part=part)

    async def model(self, request: Request) -> Response:
        """One model."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "metadata", name)
        core = self._desk.parts.core
        rows = sorted(
            (row for row in core.index() if row["name"] == name),
            key=lambda row: _age(row["version"]),
            reverse=True,
        )
        versions = [self._version(row) for row in rows]
        if not versions:
            raise not_found(f"there is no model {name!r}")
        digests = {row["digest"] for row in versions if row["digest"]}
        return self._desk.page(
            request,
            "model.html",
            "models",
            who,
            versions=versions,
            registered=await self._registered(name, digests),
            origins=origins,
            verdict=verdict,
            tiles=live.tiles(self._desk.parts, name),
            **self.about(name, request.query_params.get("version", "")),
        )

    async def act(self, request: Request) -> Response:
        """Load or unload a model."""
        name = request.path_params["model"]
        self._desk.admit(request, "repository", name)
        form = await self._desk.form(request)
        core = self._desk.parts.core
        if form.get("act") == "unload":
            await core.unload(name)
            said = f"{name} is unloaded and its memory given back"
        else:
            await core.load(name)
            said = f"{name} is loaded"
        return self._desk.go(request, f"/models/{segment(name)}", said)

    async def stream(self, request: Request) -> Response:
        """The live numbers of everything, with lines for a part of the list, or of one model."""
        name, version = request.query_params.get("model", ""), request.query_params.get("version", "")
        who = self._desk.admit(request, "metadata", name)
        if name:
            rows = [
                (f"{name}:{row['version']}", name, row["version"])
                for row in self._desk.parts.core.index()
                if row["name"] == name
            ]
        else:
            part = part_of(_states_of(self._served(who)), request.query_params)
            rows = [(known, known, "") for known in part.names]
        events = live.stream(self._desk.parts, self._closing, rows, name, version)
        return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    def about(self, name: str, version: str = "") -> dict[str, Any]:
        """What the head of every page of a model needs."""
        rows = [row for row in self._desk.parts.core.index() if row["name"] == name]
        if not rows:
            raise not_found(f"there is no model {name!r}")
        loaded = self._desk.parts.core.repository.loaded(name, version)
        model = _latest(loaded)
        shown = [row for row in rows if version in ("", row["version"])] or rows
        state = _state(shown)
        return {
            "name": name,
            "version": version,
            "path": f"/models/{segment(name)}",
            "state": state,
            "tone": _STATES.get(state, ""),
            "reason": "" if state == "READY" else shown[-1]["reason"],
            "model": model,
            "labels": labels_of(model) if model is not None else [],
            "numbers": [row["version"] for row in rows],
        }

    def _served(self, who: Visitor) -> dict[str, list[dict[str, str]]]:
        """The versions of each model that the visitor may see."""
        served: dict[str, list[dict[str, str]]] = {}
        for row in self._desk.parts.core.index():
            served.setdefault(row["name"], []).append(row)
        return {name: rows for name, rows in served.items() if who.principal.may_see(name)}

    def _line(self, name: str, rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        state = _state(rows)
        model = _latest(self._desk.parts.core.repository.loaded(name))
        return {
            "name": name,
            "path": f"/models/{segment(name)}",
            "state": state,
            "tone": _STATES.get(state, ""),
            "reason": next((row["reason"] for row in rows if row["reason"]), ""),
            "versions": [row["version"] for row in rows],
            "takes": [_port(port) for port in model.signature.inputs] if model else [],
            "gives": [_port(port) for port in model.signature.outputs] if model else [],
            **live.row(self._desk.parts, name),
        }

    def _version(self, row: Mapping[str, str]) -> dict[str, Any]:
        name, version = row["name"], row["version"]
        loaded = self._desk.parts.core.repository.loaded(name, version)
        return {
            **row,
            "key": f"{name}:{version}",
            "tone": _STATES.get(row["state"], ""),
            "digest": loaded[0].offer.digest if loaded else "",
            "memory_bytes": self._desk.parts.core.repository.sizes().get((name, version)),
            **live.row(self._desk.parts, name, version),
        }

    async def _registered(self, name: str, digests: set[str]) -> Registered | None:
        administration = self._desk.parts.administration
        if administration is None:
            return None
        return await self._desk.ask(lambda: registered(administration.catalog, name, digests))

    def _alerts(self, who: Visitor) -> list[Any]:
        watch = self._desk.parts.monitoring.watch
        try:
            found = watch.book.alerts(open_only=True, limit=5) if watch is not None else []
        except ServeError:
            return []
        return [alert for alert in found if who.principal.may_see(alert.model)]


def labels_of(model: Servable) -> list[str]:
    """The class names of the first output that has some."""
    found = (model.labels_of(port.name) for port in model.signature.outputs)
    return next((labels for labels in found if labels), [])


def _states_of(served: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, str]:
    return {name: _state(rows) for name, rows in served.items()}


def _state(rows: Sequence[Mapping[str, str]]) -> str:
    """READY if one of these versions is, else the state of the last."""
    return next((row["state"] for row in rows if row["state"] == "READY"), rows[-1]["state"])


def _port(port: Any) -> dict[str, Any]:
    return {"name": port.name, "datatype": port.datatype, "dims": port.dims if port.ranked else ("…",)}


def _latest(loaded: list[Servable]) -> Servable | None:
    return max(loaded, key=lambda model: _age(model.version), default=None)


def _age(version: str) -> tuple[bool, int, str]:
    """Versions in order, the newest last: words before numbers."""
    return version.isdigit(), int(version) if version.isdigit() else 0, version
