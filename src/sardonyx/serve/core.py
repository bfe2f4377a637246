"""The data plane without a transport: a request on its way to a model and back.

Decides what answers, what is done to its outputs, and who is told. Must not know HTTP or gRPC. Lives on one
event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sardonyx
from sardonyx.protocol.classify import PARAMETER, classify
from sardonyx.protocol.config import Config
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Context, InferRequest, InferResponse, Timings
from sardonyx.serve.decoupled import Decoupled
from sardonyx.serve.opening import Servable
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.regions import Regions
from sardonyx.serve.repository import Repository
from sardonyx.serve.seams import (
    DirectRouter,
    Guard,
    Observer,
    OpenGuard,
    Record,
    Route,
    Router,
    Source,
    Target,
)
from sardonyx.serve.settings import LogSettings, TraceSettings
from sardonyx.serve.signature import Signature
from sardonyx.serve.tracing import TraceFile

EXTENSIONS = [
    "classification",
    "sequence",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "system_shared_memory",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "trace",
    "logging",
]


_SHADOWS_AT_ONCE = 64
"""When so many shadows have not answered yet, further ones are not asked: they must not cost those served."""


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
        self.options = options or ServeOptions()
        self.repository = Repository(source, self.options)
        self.regions = Regions(allowed=self.options.allow_client_shm)
        self.trace = TraceSettings(self.options.trace_file)
        self.log = LogSettings()
        self.guard: Guard = guard or OpenGuard()
        self.router: Router = router or DirectRouter()
        self.observers = list(observers)
        self._traces = (
            TraceFile(self.trace, Path(self.options.trace_file)) if self.options.trace_file else None
        )
        if self._traces is not None:
            self.observers.append(self._traces)
        self._started = False
        self._background: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load all models of the source; one that cannot be loaded is listed with the reason."""
        await self.refresh()
        self._started = True

    async def read(
        self, name: str, version: str, context: Context, reader: Callable[[Signature], InferRequest]
    ) -> tuple[InferRequest, Route]:
        """A request as read by the signature of the model it is for, and the route on which it is asked.

        Observers are told of one that cannot be read, as of one that is refused.
        """
        asked = InferRequest(name, [], version, context=context)
        route = self.router.route(asked)
        model: Servable | None = None
        try:
            model = await self.repository.awake(route.target.model, route.target.version)
            request = reader(model.signature)
        except ServeError as error:
            timings = Timings(total_ns=time.perf_counter_ns() - context.received_ns)
            if model is not None:
                model.statistics.failed(timings)
            self.tell(Record(asked, route, None, error, timings, time.time()))
            raise
        request.model, request.version, request.context = name, version, context
        return request, route

    async def stream(
        self, request: InferRequest, route: Route | None = None
    ) -> tuple[bool, AsyncIterator[InferResponse]]:
        """Whether a request may have any number of answers, in no order with others', and those that come.

        They come along a route if one was drawn for it. ServeError says what is wrong, now, before the first
        answer or between two.
        """
        route = route or self.router.route(request)
        model = await self.repository.awake(route.target.model, route.target.version)
        if isinstance(model, Decoupled):
            return True, self._several(model, route.target, request)
        return False, self._one(request, route)

    async def _one(self, request: InferRequest, route: Route) -> AsyncIterator[InferResponse]:
        yield await self.infer(request, route)

    async def _several(
        self, model: Decoupled, target: Target, request: InferRequest
    ) -> AsyncIterator[InferResponse]:
        route, timings, last = Route(target), Timings(), None
        failure: ServeError | None = ServeError(Code.CANCELLED, "the client left")
        try:
            if request.parameters:
                _refuse_reserved(request)
            self.regions.fill(request)
            async for last in model.stream(request, timings):
                yield last
            failure = None
        except ServeError as error:
            failure = error
            raise
        finally:
            timings.total_ns = time.perf_counter_ns() - request.context.received_ns
            if failure is None:
                model.statistics.succeeded(timings)
            else:
                model.statistics.failed(timings)
            response = None if failure else last or InferResponse(model.name, model.version, [], request.id)
            self.tell(Record(request, route, response, failure, timings, time.time()))

    async def infer(self, request: InferRequest, route: Route | None = None) -> InferResponse:
        """Answer a request, along a route if one was drawn for it; ServeError says what is wrong."""
        timings = Timings()
        response: InferResponse | None = None
        failure: ServeError | None = None
        model: Servable | None = None
        try:
            route = route or self.router.route(request)
            model = await self.repository.awake(route.target.model, route.target.version)
            response = await self._answer(model, request, timings)
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
                    model.statistics.succeeded(timings)
                else:
                    model.statistics.failed(timings)
            if self.observers:
                known = route or Route(Target(request.model, request.version))
                self.tell(Record(request, known, response, failure, timings, time.time()))
            if route is not None:
                self.ask_shadows(request, route)
        return response

    def model(self, name: str, version: str = "") -> Servable:
        """The loaded model that a name means; NOT_FOUND if there is none, UNAVAILABLE if it is not loaded."""
        target = self._target(name, version)
        return self.repository.model(target.model, target.version)

    async def awake(self, name: str, version: str = "") -> Servable:
        """The model that a name means, which is loaded now if it gave way to others."""
        target = self._target(name, version)
        return await self.repository.awake(target.model, target.version)

    def ready(self, name: str = "", version: str = "") -> bool:
        """Whether a model can be asked, or without a name the server; NOT_FOUND if the model is unknown."""
        if not name:
            return self._started and self.repository.ready()
        target = self._target(name, version)
        return self.repository.ready(target.model, target.version)

    def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """All versions with state and reason; with `ready`, only those that can be asked."""
        return self.repository.index(ready=ready)

    async def refresh(self) -> None:
        """Look at the source anew: load what is new, replace what changed, unload what is gone."""
        await self.repository.refresh()

    async def load(
        self,
        name: str,
        config: Mapping[str, Any] | str | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load or reload a model; see `Repository.load`."""
        await self.repository.load(name, config, files)

    async def unload(self, name: str, *, dependents: bool = False) -> None:
        """Answer what is queued for a model and let go of its memory; see `Repository.unload`."""
        await self.repository.unload(name, dependents=dependents)

    def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions."""
        return {"name": self.options.name, "version": sardonyx.__version__, "extensions": EXTENSIONS}

    def metadata(self, name: str, version: str = "") -> dict[str, Any]:
        """The metadata of a loaded model; without a version, of its default."""
        model = self.model(name, version)
        versions = [version] if version else self.repository.versions(model.name)
        return {**model.metadata(), "versions": versions}

    def config(self, name: str, version: str = "") -> Config:
        """The complete configuration of a loaded model, as the JSON of the configuration extension."""
        return self.model(name, version).config

    def statistics(self, name: str = "", version: str = "") -> dict[str, Any]:
        """The statistics of a model version, of all versions of a model, or of everything."""
        if name:
            self.ready(name, version)
            name = self._target(name, version).model
        models, sizes = self.repository.loaded(name, version), self.repository.sizes()
        documents = [
            model.statistics.document(model.name, model.version, sizes.get((model.name, model.version), 0))
            for model in models
        ]
        return {"model_stats": documents}

    async def close(self) -> None:
        """Answer what is queued, each model for at most `drain_s`, and let go of everything."""
        for task in self._background:
            task.cancel()
        try:
            await self.repository.close()
        finally:
            self.regions.unregister()
            if self._traces is not None:
                self._traces.close()

    def _target(self, name: str, version: str) -> Target:
        """What the router makes of a name that nothing is fed to."""
        return self.router.route(InferRequest(name, [], version)).target

    async def _answer(self, model: Servable, request: InferRequest, timings: Timings) -> InferResponse:
        if request.parameters:
            _refuse_reserved(request)
        if len(request.inputs) == 1 and not request.inputs[0].name:
            request.inputs = [model.signature.named(request.inputs[0].data)]
        self.regions.fill(request)
        response = await model.infer(request, timings)
        if request.outputs:
            _classify(model, request, response)
            self.regions.place(request, response)
        return response

    def tell(self, record: Record) -> None:
        """Tell all observers of a finished request."""
        for observer in self.observers:
            observer.observe(record)

    def ask_shadows(self, request: InferRequest, route: Route) -> None:
        """Put a request, of whose answer all were told, to the shadows of its route too."""
        for shadow in route.shadows[: max(0, _SHADOWS_AT_ONCE - len(self._background))]:
            asking = self._shadow(request, _detached(request), route, shadow)
            task = asyncio.get_running_loop().create_task(asking)
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _shadow(self, request: InferRequest, asked: InferRequest, route: Route, shadow: Target) -> None:
        timings, began = Timings(), time.perf_counter_ns()
        response: InferResponse | None = None
        failure: ServeError | None = None
        try:
            model = await self.repository.awake(shadow.model, shadow.version)
            response = await model.infer(asked, timings)
        except ServeError as error:
            failure = error
        timings.total_ns = time.perf_counter_ns() - began
        of = route.target.deployment or f"{route.target.model}/{route.target.version}"
        self.tell(Record(request, Route(shadow), response, failure, timings, time.time(), of))


def _detached(request: InferRequest) -> InferRequest:
    """The same question, independent of a client that leaves or rewrites its shared memory."""
    context = request.context
    is_bound = context.on_leave is not None or context.deadline_ns is not None
    if not is_bound and not any(tensor.parameters for tensor in request.inputs):
        return request
    inputs = [
        replace(tensor, data=tensor.data.copy()) if tensor.parameters else tensor for tensor in request.inputs
    ]
    return replace(request, inputs=inputs, context=replace(context, on_leave=None, deadline_ns=None))


def _refuse_reserved(request: InferRequest) -> None:
    for key in request.parameters:
        if key.startswith("triton_") and key != "triton_enable_empty_final_response":
            raise invalid(
                f"parameter keys starting with 'triton_' are reserved for internal usage: '{key}' was given"
            )


def _classify(model: Servable, request: InferRequest, response: InferResponse) -> None:
    assert request.outputs is not None
    for output in request.outputs:
        count = output.parameters.get(PARAMETER)
        if count is None:
            continue
        if type(count) is not int:
            raise invalid(f"'{PARAMETER}' of output '{output.name}' must be a whole number, got {count!r}")
        response.outputs = [
            classify(tensor, count, model.labels_of(tensor.name), batches=model.batch_axis is not None)
            if tensor.name == output.name
            else tensor
            for tensor in response.outputs
        ]
