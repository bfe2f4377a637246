"""The data plane without a transport: models by name, and requests on their way to them and back.

Decides what is loaded, what answers and who is told. Lives on one event loop. Must not know HTTP or gRPC.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sardonyx
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.messages import InferRequest, InferResponse, Timings
from sardonyx.serve.model import Model, open_model
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import (
    DirectRouter,
    Guard,
    Observer,
    Offer,
    OpenGuard,
    Record,
    Route,
    Router,
    Source,
    Target,
)

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics", "parameters"]


@dataclass(slots=True)
class Entry:
    """A version that is or could be served: READY, LOADING, UNLOADING or UNAVAILABLE with its reason."""

    offer: Offer
    state: str = "UNAVAILABLE"
    reason: str = ""
    model: Model | None = None


class Core:
    """Everything that answers requests; start it on the loop that will ask it."""

    def __init__(
        self,
        source: Source,
        options: ServeOptions | None = None,
        guard: Guard | None = None,
        router: Router | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.source = source
        self.options = options or ServeOptions()
        self.guard: Guard = guard or OpenGuard()
        self.router: Router = router or DirectRouter()
        self.observers = list(observers)
        self._entries: dict[str, dict[str, Entry]] = {}
        self._ready: dict[tuple[str, str], Model] = {}
        self._changing = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load all models of the source; one that cannot be loaded is listed with the reason."""
        await self.refresh()

    async def refresh(self) -> None:
        """Look at the source anew: load what is new, replace what changed, unload what is gone."""
        offers = await asyncio.to_thread(self.source.offers)
        async with self._changing:
            await self._follow(offers, set(self._entries) | {offer.name for offer in offers})

    async def load(self, name: str) -> None:
        """Load or reload a model by name from the source; INVALID_ARGUMENT with the reason if it fails."""
        offers = await asyncio.to_thread(self.source.offers)
        if all(offer.name != name for offer in offers):
            raise invalid(f"failed to load '{name}', no such model in the repository")
        async with self._changing:
            await self._follow(offers, {name}, reload=True)
        failed = [entry.reason for entry in self._entries[name].values() if entry.state != "READY"]
        if failed:
            raise invalid(f"failed to load '{name}': {failed[0]}")

    async def unload(self, name: str) -> None:
        """Answer what is queued for a model and let go of its memory; it stays in the index."""
        if name not in self._entries:
            raise not_found(f"failed to unload '{name}', no such model")
        async with self._changing:
            for entry in self._entries[name].values():
                await self._retire(entry, "unloaded")

    async def infer(self, request: InferRequest) -> InferResponse:
        """Answer a request; ServeError says what is wrong with it, or with us."""
        timings = Timings()
        route = Route(Target(request.model, request.version))
        response: InferResponse | None = None
        failure: ServeError | None = None
        model: Model | None = None
        try:
            route = self.router.route(request)
            model = self.model(route.target.model, route.target.version)
            response = await model.infer(request, timings)
        except asyncio.CancelledError:
            failure = ServeError(Code.CANCELLED, "the client left")
            raise
        except ServeError as error:
            failure = error
            raise
        finally:
            timings.total_ns = time.perf_counter_ns() - request.context.received_ns
            if model is not None:
                if response is not None:
                    model.statistics.succeeded(timings, timings.batch_rows)
                else:
                    model.statistics.failed(timings)
            self._tell(Record(request, route, response, failure, timings, time.time()))
            for shadow in route.shadows:
                self._ask_shadow(request, route, shadow)
        return response

    def model(self, name: str, version: str = "") -> Model:
        """The loaded model; NOT_FOUND if there is none of that name, UNAVAILABLE if it is not loaded."""
        model = self._ready.get((name, version))
        if model is not None:
            return model
        versions = self._entries.get(name)
        if not versions:
            raise not_found(f"Request for unknown model: '{name}' is not found")
        if version and version not in versions:
            raise not_found(f"Request for unknown model: '{name}' version {version} is not found")
        entry = versions[version] if version else versions[_latest(versions)]
        raise ServeError(
            Code.UNAVAILABLE,
            f"Request for unknown model: '{name}' is not ready: {entry.state} {entry.reason}",
        )

    def ready(self, name: str = "", version: str = "") -> bool:
        """Whether a model can be asked, or without a name all but the unloaded; NOT_FOUND if unknown."""
        if not name:
            entries = [entry for versions in self._entries.values() for entry in versions.values()]
            return not self.options.strict_readiness or all(
                entry.state == "READY" or entry.reason == "unloaded" for entry in entries
            )
        versions = self._entries.get(name)
        if not versions or (version and version not in versions):
            raise not_found(f"Request for unknown model: '{name}' is not found")
        return (name, version) in self._ready

    def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """All versions with state and reason; with `ready`, only those that can be asked."""
        return [
            {"name": name, "version": version, "state": entry.state, "reason": entry.reason}
            for name, versions in self._entries.items()
            for version, entry in versions.items()
            if not ready or entry.state == "READY"
        ]

    def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions."""
        return {"name": "sardonyx", "version": sardonyx.__version__, "extensions": EXTENSIONS}

    def metadata(self, name: str, version: str = "") -> dict[str, Any]:
        """The metadata of a loaded model; without a version, of its default."""
        model = self.model(name, version)
        ready = [known for known, entry in self._entries[name].items() if entry.state == "READY"]
        return {**model.metadata(), "versions": [version] if version else ready}

    def statistics(self, name: str = "", version: str = "") -> dict[str, Any]:
        """The statistics of a model version, of all versions of a model, or of everything."""
        if name:
            self.ready(name, version)
        return {
            "model_stats": [
                entry.model.statistics.document(found, known)
                for found, versions in self._entries.items()
                for known, entry in versions.items()
                if entry.model is not None and name in ("", found) and version in ("", known)
            ]
        }

    async def close(self) -> None:
        """Answer what is queued, for at most `drain_s`, and let go of everything."""
        for task in self._background:
            task.cancel()
        async with self._changing:
            entries = [entry for versions in self._entries.values() for entry in versions.values()]
            retire = asyncio.gather(*(self._retire(entry, "the server stops") for entry in entries))
            await asyncio.wait_for(retire, self.options.drain_s)

    async def _follow(self, offers: Sequence[Offer], names: set[str], *, reload: bool = False) -> None:
        wanted = {(offer.name, offer.version): offer for offer in offers if offer.name in names}
        for (name, version), offer in wanted.items():
            versions = self._entries.setdefault(name, {})
            old = versions.get(version)
            if old is None or reload or old.offer.digest != offer.digest:
                await self._replace(versions, offer)
        for name in names:
            for version in [v for v in self._entries.get(name, {}) if (name, v) not in wanted]:
                await self._retire(self._entries[name].pop(version), "removed")
            if not self._entries.get(name, True):
                del self._entries[name]

    async def _replace(self, versions: dict[str, Entry], offer: Offer) -> None:
        """Load beside the old one, then swap; if loading fails the old one goes on serving."""
        old = versions.get(offer.version)
        if old is None or old.model is None:
            versions[offer.version] = Entry(offer, "LOADING")
        try:
            session = await asyncio.to_thread(open_model, offer, self.options)
            model = Model(offer, session, self.options)
        except ServeError as error:
            if old is None or old.model is None:
                versions[offer.version] = Entry(offer, "UNAVAILABLE", error.message)
            else:
                old.reason = f"the new file was refused, the old one serves: {error.message}"
            return
        versions[offer.version] = Entry(offer, "READY", "", model)
        self._index()
        if old is not None:
            await self._retire(old, "replaced")

    async def _retire(self, entry: Entry, reason: str) -> None:
        model, entry.model = entry.model, None
        if model is not None:
            entry.state = "UNLOADING"
            self._index()
            await model.close()
        entry.state, entry.reason = "UNAVAILABLE", reason

    def _index(self) -> None:
        """Make the table that requests look into."""
        ready: dict[tuple[str, str], Model] = {}
        for name, versions in self._entries.items():
            loaded = {version: entry for version, entry in versions.items() if entry.model is not None}
            for version, entry in loaded.items():
                assert entry.model is not None
                ready[name, version] = entry.model
            if loaded:
                latest = loaded[_latest(loaded)].model
                assert latest is not None
                ready[name, ""] = latest
        self._ready = ready

    def _tell(self, record: Record) -> None:
        for observer in self.observers:
            observer.observe(record)

    def _ask_shadow(self, request: InferRequest, route: Route, shadow: Target) -> None:
        task = asyncio.get_running_loop().create_task(self._shadow(request, route, shadow))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _shadow(self, request: InferRequest, route: Route, shadow: Target) -> None:
        timings, began = Timings(), time.perf_counter_ns()
        response: InferResponse | None = None
        failure: ServeError | None = None
        try:
            response = await self.model(shadow.model, shadow.version).infer(request, timings)
        except ServeError as error:
            failure = error
        timings.total_ns = time.perf_counter_ns() - began
        of = route.target.deployment or f"{route.target.model}/{route.target.version}"
        self._tell(Record(request, Route(shadow), response, failure, timings, time.time(), of))


def _latest(versions: dict[str, Entry]) -> str:
    """The greatest number, else the last in the alphabet."""
    return max(
        versions, key=lambda version: (version.isdigit(), int(version) if version.isdigit() else 0, version)
    )
