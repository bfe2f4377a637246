"""A model version in memory: its session, what it takes and gives, its queue and its counts.

Decides how a request becomes a run and its outputs an answer; must not know transports or other models.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sardonyx.ort.session import InferenceSession
from sardonyx.protocol.config import Config
from sardonyx.protocol.datatypes import DATATYPES, Array
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import InferRequest, InferResponse, OnLeave, Tensor, Timings
from sardonyx.serve.batch import Joiner
from sardonyx.serve.cache import ResponseCache
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.policy import Policy
from sardonyx.serve.scheduler import Job, Key, Results, Run, Scheduler
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature
from sardonyx.serve.statistics import Statistics

PLATFORM = "onnx_onnxv1"
Form = tuple[tuple[tuple[str, str, tuple[int, ...]], ...], tuple[str, ...] | None]
"""Name, type and shape of the inputs, names of the outputs: what decides how a request is treated."""
QUICK_NS = 100_000
"""A model that takes less runs on the loop itself: to wake a thread would take longer."""
_FORMS_KEPT = 512
_MOST_GROWTH = 4
_FEW_ELEMENTS = 4096
_MICROSECOND_NS = 1_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version that is compiled, checked and warm, and not yet on any loop.

    `call` computes the outputs of arrays by position; `session` is None unless it is an ONNX model; `quick`
    models took little time when they were tried.
    """

    offer: Offer
    call: Callable[[Sequence[Array], tuple[int, ...]], Results]
    signature: Signature
    policy: Policy
    session: InferenceSession | None = None
    labels: list[str] = field(default_factory=list)
    output_labels: Mapping[str, list[str]] = field(default_factory=dict)
    platform: str = PLATFORM
    quick: bool = False


@dataclass(slots=True)
class Handling:
    """How requests of one form run, which was checked once, and what a run costs.

    `order` are the positions of the inputs in the request; `cost_ns` is what a run alone takes lately.
    """

    order: tuple[int, ...]
    wanted: tuple[int, ...]
    ports: tuple[Port, ...]
    rows: int
    key: Key
    cost_ns: float

    def learn(self, timings: Timings) -> None:
        """Remember what a run took, unless others ran with it; one that was held up counts little."""
        if timings.batch_rows == self.rows:
            known = self.cost_ns
            took = min(timings.infer_ns, _MOST_GROWTH * known)
            self.cost_ns = took if known == float("inf") else 0.75 * known + 0.25 * took


class Model:
    """A loaded version; given back by `close`."""

    def __init__(self, prepared: Prepared, options: ServeOptions) -> None:
        self.offer = prepared.offer
        self.name, self.version = self.offer.name, self.offer.version
        self.session = prepared.session
        self.signature = prepared.signature
        self.policy = prepared.policy
        self.labels = prepared.labels
        self.statistics = Statistics()
        self._output_labels = prepared.output_labels
        self._call = prepared.call
        self._platform = prepared.platform
        self._drain_s = options.drain_s
        self._cache = ResponseCache(options.cache_bytes) if self.policy.caches else None
        self._first_cost_ns = QUICK_NS / 2 if prepared.quick else float("inf")
        self._joiner = Joiner(self.signature, self.policy.pad)
        self._handlings: dict[Form, Handling] = {}
        overload = Code.QUOTA if options.overload_status == Code.QUOTA.http else Code.UNAVAILABLE
        self._scheduler = Scheduler(self.name, self.policy, self._execute, self._executed, overload)

    @property
    def depth(self) -> int:
        """Requests that wait or run."""
        return self._scheduler.depth

    @property
    def batch_axis(self) -> int | None:
        """The axis along which requests may be joined, None if there is none."""
        return 0 if self.signature.batches else None

    def labels_of(self, output: str) -> list[str]:
        """The class names of an output by index; [] if none are known."""
        return self._output_labels.get(output, self.labels)

    @property
    def is_plain(self) -> bool:
        """Whether an answer is computed anew from the arrays of a request, and none of them is kept."""
        return self.session is not None and self._cache is None

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """The answer to a request, which may wait in the queue; ServeError says why there is none."""
        inputs, handling = request.inputs, self.handling(request)
        feeds = [inputs[position].data for position in handling.order]
        if self._cache is not None:
            results = await self._remembered(self._cache, feeds, handling, request, timings)
        else:
            results = await self._run(feeds, handling, request, timings)
        tensors = [
            Tensor(port.name, port.datatype, array.shape, array)
            for port, array in zip(handling.ports, results, strict=True)
        ]
        return InferResponse(self.name, self.version, tensors, request.id)

    def handling(self, request: InferRequest) -> Handling:
        """How requests of the form of this one run; INVALID_ARGUMENT if it fits the model not."""
        outputs = request.outputs
        forms = tuple([(tensor.name, tensor.datatype, tensor.data.shape) for tensor in request.inputs])
        names = None if outputs is None else tuple([output.name for output in outputs])
        handling = self._handlings.get((forms, names))
        return self._first_handling(request, (forms, names)) if handling is None else handling

    def runs_at_once(self, handling: Handling) -> bool:
        """Whether a request would neither wait nor take long now."""
        return handling.cost_ns < QUICK_NS and self._scheduler.depth == 0 and not self.policy.delay_ns

    async def _run(
        self, feeds: list[Array], handling: Handling, request: InferRequest, timings: Timings
    ) -> Results:
        if self.runs_at_once(handling):
            return self.run_at_once(feeds, handling, timings)
        level, deadline_ns = self._level(request), self._deadline(request)
        job = Job(feeds, handling.wanted, handling.rows, handling.key, timings, level, deadline_ns)
        results = await self._queued(job, request.context.on_leave)
        handling.learn(timings)
        return results

    async def _remembered(
        self,
        cache: ResponseCache,
        feeds: list[Array],
        handling: Handling,
        request: InferRequest,
        timings: Timings,
    ) -> Results:
        began = time.perf_counter_ns()
        key = cache.key((handling.wanted, tuple(array.shape for array in feeds)), feeds)
        known = cache.get(key)
        took = time.perf_counter_ns() - began
        timings.rows = timings.batch_rows = handling.rows
        if known is not None:
            self.statistics.hits += 1
            self.statistics.hit_ns += took
            return known
        results = await self._run(feeds, handling, request, timings)
        began = time.perf_counter_ns()
        cache.put(key, results)
        self.statistics.misses += 1
        self.statistics.miss_ns += took + time.perf_counter_ns() - began
        return results

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol, without `versions`."""
        return {"name": self.name, "platform": self._platform, **self.signature.described()}

    @property
    def config(self) -> Config:
        """The configuration with all that was left open in it."""
        given, policy = dict(self.offer.config), self.policy
        most = int(given.get("max_batch_size", policy.most_rows))
        first = 1 if most > 0 else 0
        given |= {
            "name": self.name,
            "platform": given.get("platform") or "onnxruntime_onnx",
            "backend": given.get("backend") or "onnxruntime",
            "max_batch_size": most,
            "input": _rows_of(given.get("input", ()), self.signature.inputs, first),
            "output": _rows_of(given.get("output", ()), self.signature.outputs, first),
            "default_model_filename": given.get("default_model_filename") or self.offer.path.name,
        }
        given.setdefault("version_policy", {"latest": {"num_versions": 1}})
        given.setdefault(
            "instance_group", [{"name": self.name, "kind": "KIND_CPU", "count": policy.instances}]
        )
        if policy.most_rows and "dynamic_batching" not in given:
            given["dynamic_batching"] = {
                "max_queue_delay_microseconds": str(policy.delay_ns // _MICROSECOND_NS)
            }
        return given

    async def close(self) -> None:
        """Answer what is queued, then let go of the session."""
        await self._scheduler.close(self._drain_s)
        self.session = None
        del self._call

    def _first_handling(self, request: InferRequest, form: Form) -> Handling:
        """Check a request whose form was not met before."""
        signature = self.signature
        feeds = signature.feeds(request.inputs)
        wanted = signature.wanted(request.outputs)
        positions = {tensor.name: position for position, tensor in enumerate(request.inputs)}
        handling = Handling(
            tuple(positions[port.name] for port in signature.inputs),
            wanted,
            tuple(signature.outputs[number] for number in wanted),
            self._rows(feeds),
            self._joiner.key(feeds, wanted),
            self._first_cost_ns if sum(array.size for array in feeds) < _FEW_ELEMENTS else float("inf"),
        )
        if len(self._handlings) >= _FORMS_KEPT:
            self._handlings.clear()
        self._handlings[form] = handling
        return handling

    def _rows(self, feeds: Sequence[Array]) -> int:
        if not self.signature.batches or not feeds:
            return 1
        rows = feeds[0].shape[0] if feeds[0].ndim else 1
        if any(array.shape[:1] != (rows,) for array in feeds):
            sizes = {port.name: list(a.shape) for port, a in zip(self.signature.inputs, feeds, strict=True)}
            text = f"the inputs of model '{self.name}' must have equally many rows, got shapes {sizes}"
            raise invalid(text)
        if self.policy.limits and rows > int(self.offer.config["max_batch_size"]):
            most = self.offer.config["max_batch_size"]
            raise invalid(f"inference request batch-size must be <= {most} for '{self.name}', got {rows}")
        return int(rows)

    def _level(self, request: InferRequest) -> int:
        level = request.parameters.get("priority") or request.context.priority or self.policy.default_level
        if type(level) is not int or level < 0:
            raise invalid(f"parameter 'priority' must be a whole number from 0 on, got {level!r}")
        return level

    def _deadline(self, request: InferRequest) -> int | None:
        policy, context = self.policy, request.context
        timeout_us = request.parameters.get("timeout", 0)
        if type(timeout_us) is not int or timeout_us < 0:
            raise invalid(f"parameter 'timeout' must be a number of microseconds, got {timeout_us!r}")
        timeout_ns = policy.timeout_ns
        if timeout_us and policy.overrides_timeout:
            timeout_ns = timeout_us * _MICROSECOND_NS
        if not timeout_ns or not policy.rejects:
            return context.deadline_ns
        deadline = context.received_ns + timeout_ns
        return deadline if context.deadline_ns is None else min(deadline, context.deadline_ns)

    async def _queued(self, job: Job, on_leave: OnLeave | None) -> Results:
        if on_leave is None:
            return await self._scheduler.run(job)
        left = False

        def leave() -> None:
            nonlocal left
            left = job.future.cancel()

        stop = on_leave(leave)
        try:
            return await self._scheduler.run(job)
        except asyncio.CancelledError:
            if left:
                raise ServeError(Code.CANCELLED, "the client left") from None
            raise
        finally:
            stop()

    def run_at_once(self, feeds: list[Array], handling: Handling, timings: Timings) -> Results:
        """Run a quick model here, which takes less than waking its thread."""
        began = time.perf_counter_ns()
        results = self._call(feeds, handling.wanted)
        timings.infer_ns = time.perf_counter_ns() - began
        timings.rows = timings.batch_rows = handling.rows
        handling.learn(timings)
        self.statistics.executed(handling.rows, 0, timings.infer_ns, 0)
        return results

    def _execute(self, jobs: Sequence[Job]) -> Run:
        began = time.perf_counter_ns()
        feeds = self._joiner.join(jobs)
        ready = time.perf_counter_ns()
        results = self._call(feeds, jobs[0].wanted)
        done = time.perf_counter_ns()
        parts = self._joiner.split(jobs, results)
        return Run(parts, ready - began, done - ready, time.perf_counter_ns() - done)

    def _executed(self, jobs: Sequence[Job], run: Run) -> None:
        if run.infer_ns:
            self.statistics.executed(sum(job.rows for job in jobs), run.input_ns, run.infer_ns, run.output_ns)


def _rows_of(given: Sequence[Mapping[str, Any]], ports: Sequence[Port], first: int) -> list[dict[str, Any]]:
    told = {row.get("name"): row for row in given}
    return [
        {
            "name": port.name,
            "data_type": DATATYPES[port.datatype].config,
            "dims": [str(size) for size in port.shape[first:]],
            **told.get(port.name, {}),
        }
        for port in ports
    ]
