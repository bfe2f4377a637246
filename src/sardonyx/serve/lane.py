"""The fast lane: requests of a known form to a quick model, with all decided that can be before they come.

Decides when a request may take it; what it cannot do goes the ordinary way, through `Core.infer`. Must not
know how requests are written. Lives on the event loop and never waits: one request is done before the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import Context, InferRequest, InferResponse, Principal, Tensor, Timings
from sardonyx.serve.model import Handling, Model
from sardonyx.serve.regions import OFFSET, REGION, SIZE
from sardonyx.serve.seams import Comparing, Kind, Record, Route, counters
from sardonyx.serve.settings import LOGGER

if TYPE_CHECKING:
    from sardonyx.serve.core import Core

_LANES_KEPT = 16
_MOST_BYTES, _MOST_SHARED_BYTES = 1 << 16, 1 << 20
"""Of the tensors of a request: to copy more takes longer than to look at a request anew. What lies in shared
memory is copied once in any case."""
_SAME_MEMORY = frozenset(
    {"FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}
)
"""Datatypes whose tensors are written as they lie in memory, and of which every content is a value."""

_PLACE = frozenset({REGION, SIZE, OFFSET})

Write = Callable[["Lane", list[Array]], bytes]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that must be parsed: whether its form was met before, who was admitted, what was drawn."""

    is_met: bool = False
    principal: Principal | None = None
    route: Route | None = None


UNMET, MET = Unanswered(), Unanswered(is_met=True)


def has_form(request: InferRequest, known: frozenset[str]) -> bool:
    """Whether requests like this one, which was answered, may differ in the content of tensors alone.

    `known` are the parameters that only the transport looks at.
    """
    most = _MOST_SHARED_BYTES if lies_outside(request) else _MOST_BYTES
    of_outputs = _PLACE if is_placed(request) else known
    return (
        not request.id
        and sum(tensor.data.nbytes for tensor in request.inputs) <= most
        and known.issuperset(request.parameters)
        and all(of_outputs.issuperset(output.parameters) for output in request.outputs or ())
        and all(
            tensor.data.nbytes and tensor.datatype in _SAME_MEMORY and _PLACE.issuperset(tensor.parameters)
            for tensor in request.inputs
        )
        and (most == _MOST_SHARED_BYTES or not any(tensor.parameters for tensor in request.inputs))
    )


def lies_outside(request: InferRequest) -> bool:
    """Whether all inputs of a request lie in shared memory."""
    return bool(request.inputs) and all(REGION in tensor.parameters for tensor in request.inputs)


def is_placed(request: InferRequest) -> bool:
    """Whether all outputs of a request are wanted in shared memory."""
    return bool(request.outputs) and all(REGION in output.parameters for output in request.outputs or ())


class Form:
    """Requests that differ in the content of their tensors alone; `asked` is one of them.

    Who asks writes the `feeds`, in the order of the request, then calls `run` of the lane.
    """

    def __init__(self, core: Core, asked: InferRequest, context: Context, write: Callable[[], Write]) -> None:
        """`context` is what they have in common; `write` makes what writes the results of a lane."""
        self.feeds = [np.empty(tensor.shape, tensor.data.dtype) for tensor in asked.inputs]
        inputs = [replace(tensor, data=feed) for tensor, feed in zip(asked.inputs, self.feeds, strict=True)]
        self.asked = replace(asked, inputs=inputs, context=context)
        self.size_bytes = sum(feed.nbytes for feed in self.feeds)
        self._core = core
        self._write = write
        self._lanes: dict[Route, Lane] = {}

    def lane(self, known: InferRequest) -> Lane | Unanswered:
        """The lane of a request, if it is free now; `known` is the request without its tensors."""
        try:
            route = self._core.router.route(known)
        except ServeError:
            return MET
        model = self._core.repository.serving(route.target.model, route.target.version)
        lane = self._lanes.get(route)
        if lane is None or lane.model is not model or lane.told != len(self._core.observers):
            if not isinstance(model, Model):
                return _left(route)
            if len(self._lanes) >= _LANES_KEPT:
                self._lanes.clear()
            lane = self._lanes[route] = Lane(self, self._core, model, route, self._write())
        return lane if lane.is_free() else _left(route)


def _left(route: Route, principal: Principal | None = None) -> Unanswered:
    """A request that does not take its lane: chance shall not decide a second time for it."""
    if principal is None and not route.drawn:
        return MET
    return Unanswered(True, principal, route if route.drawn else None)


class Lane:
    """Requests of one form along one route to one loaded model."""

    def __init__(self, form: Form, core: Core, model: Model, route: Route, write: Write) -> None:
        self.model = model
        self._write = write
        self.asked = form.asked
        self._core = core
        self._route = route
        self._feeds = form.feeds
        self._handling = _handling(model, form.asked)
        self._ordered = [form.feeds[n] for n in self._handling.order] if self._handling else []
        asked, deployment = form.asked, route.target.deployment
        kind = Kind(asked.model, model.name, model.version, deployment, asked.context.transport)
        self.told = len(core.observers)
        self._counters = counters(core.observers, kind)
        self._compared = [o.shadowed for o in core.observers if isinstance(o, Comparing)]
        self._timings = Timings()
        if self._counters is None:
            LOGGER.info("requests to '%s' take the ordinary way: their records are wanted whole", model.name)

    def is_free(self) -> bool:
        """Whether a request would be answered at once, and nobody wants more of it than its times."""
        return (
            self._handling is not None
            and self._counters is not None
            and self.model.runs_at_once(self._handling)
        )

    def left(self, principal: Principal) -> Unanswered:
        """What becomes of a request that is not of the form, after its principal was admitted."""
        return _left(self._route, principal)

    def answer(self, known: InferRequest, received_ns: int) -> bytes:
        """The written outputs for what the feeds hold; ServeError if there are none. All are told of it."""
        assert self._handling is not None and self._counters is not None
        timings, statistics = self._timings, self.model.statistics
        try:
            results = self.model.run_at_once(self._ordered, self._handling, timings)
            written = self._write(self, results)
        except ServeError as error:
            timings.total_ns = time.perf_counter_ns() - received_ns
            statistics.failed(timings)
            record = self._record(known, received_ns, error=error)
            self._core.tell(record)
            error.request_id = record.request.context.told_id
            self._core.ask_shadows(record.request, self._route)
            raise
        timings.total_ns = time.perf_counter_ns() - received_ns
        statistics.succeeded(timings)
        finished_s = time.time()
        for count in self._counters:
            count(timings, finished_s)
        if self._route.shadows:
            record = self._record(known, received_ns, self.response(results))
            for compare in self._compared:
                compare(record)
            self._core.ask_shadows(record.request, self._route)
        return written

    def response(self, results: Sequence[Array]) -> InferResponse:
        """The results as the ordinary way gives them, in shared memory if they are wanted there."""
        assert self._handling is not None
        tensors = [
            Tensor(port.name, port.datatype, array.shape, array)
            for port, array in zip(self._handling.ports, results, strict=True)
        ]
        response = InferResponse(self.model.name, self.model.version, tensors)
        self._core.regions.place(self.asked, response)
        return response

    def _record(
        self,
        known: InferRequest,
        received_ns: int,
        response: InferResponse | None = None,
        error: ServeError | None = None,
    ) -> Record:
        asked, context, spent = self.asked, known.context, self._timings
        inputs = [
            Tensor(tensor.name, tensor.datatype, tensor.shape, array.copy(), tensor.parameters)
            for tensor, array in zip(asked.inputs, self._feeds, strict=True)
        ]
        own = Context(
            context.transport,
            context.headers,
            context.principal,
            received_ns,
            context.deadline_ns,
            context.priority,
            context.on_leave,
            context.drawn_id,
        )
        request = InferRequest(
            asked.model, inputs, asked.version, asked.id, asked.parameters, asked.outputs, own
        )
        timings = Timings(infer_ns=spent.infer_ns, total_ns=spent.total_ns, rows=spent.rows)
        timings.batch_rows = spent.batch_rows
        return Record(request, self._route, response, error, timings, time.time())


def placing_writer(write: Callable[[Lane, InferResponse], bytes]) -> Write:
    """Writes answers whose outputs lie in shared memory; `write` gives the text that equal shapes share."""
    shapes: list[tuple[int, ...]] = []
    text = b""

    def placed(lane: Lane, results: list[Array]) -> bytes:
        nonlocal shapes, text
        response, given = lane.response(results), [array.shape for array in results]
        if given != shapes:
            text, shapes = write(lane, response), given
        return text

    return placed


def _handling(model: Model, asked: InferRequest) -> Handling | None:
    """How the requests run, None if they need more than a run: memory of answers, texts, Python."""
    if not model.is_plain:
        return None
    try:
        handling = model.handling(asked)
    except ServeError:
        return None
    return handling if all(port.datatype in _SAME_MEMORY for port in handling.ports) else None
