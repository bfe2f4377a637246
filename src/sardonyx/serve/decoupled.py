"""Models that give any number of answers to one request: steps in Python whose `run` is a generator.

What Triton calls a decoupled transaction policy. Decides how answers come from a thread to the loop, and what
ends them. Must not know transports.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from sardonyx.protocol.config import Config
from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import InferRequest, InferResponse, Tensor, Timings
from sardonyx.serve.engine import Results
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.policy import Policy
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Signature
from sardonyx.serve.statistics import Statistics

PLATFORM = "python"
_AHEAD = 16
"""So many answers may wait for their reader; then the model waits."""

Each = Callable[[Sequence[Array], tuple[int, ...]], Iterator[Results]]


def is_decoupled(config: Mapping[str, Any]) -> bool:
    """Whether a configuration says that a request has any number of answers."""
    return bool(config.get("model_transaction_policy", {}).get("decoupled", False))


class Decoupled:
    """A model that is asked by `stream`; each request has a thread, as many run as there are instances."""

    session = None
    labels: tuple[str, ...] = ()
    batch_axis = None

    def __init__(
        self, offer: Offer, signature: Signature, each: Each, policy: Policy, options: ServeOptions
    ) -> None:
        self.offer = offer
        self.name, self.version = offer.name, offer.version
        self.signature = signature
        self.statistics = Statistics()
        self.depth = 0
        self._each = each
        self._policy = policy
        self._overload = Code.QUOTA if options.overload_status == Code.QUOTA.http else Code.UNAVAILABLE
        self._drain_s = options.drain_s
        self._free = asyncio.Semaphore(policy.instances)
        self._running: set[_Answers] = set()
        self._closed = False

    @property
    def config(self) -> Config:
        """The configuration as it was given."""
        return {**self.offer.config, "name": self.name, "platform": PLATFORM}

    def labels_of(self, output: str) -> list[str]:
        """None are known here."""
        return []

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol, without `versions`."""
        return {"name": self.name, "platform": PLATFORM, **self.signature.described()}

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """Refused: there is no one answer."""
        raise ServeError(
            Code.UNSUPPORTED,
            f"model '{self.name}' has a decoupled transaction policy, so a request may have any number of "
            "answers: ask ModelStreamInfer or generate_stream",
        )

    async def stream(self, request: InferRequest, timings: Timings) -> AsyncIterator[InferResponse]:
        """The answers as they come; when the reader goes, or the client, the model is asked for no more."""
        feeds = self.signature.feeds(request.inputs)
        wanted = self.signature.wanted(request.outputs)
        ports = [self.signature.outputs[number] for number in wanted]
        if self._closed:
            raise ServeError(Code.UNAVAILABLE, f"model '{self.name}' is being unloaded", 1.0)
        if self.depth >= self._policy.queue_size:
            text = f"Exceeds maximum queue size: model '{self.name}' has {self.depth} requests waiting"
            raise ServeError(self._overload, text, 1.0)
        self.depth += 1
        queued_ns = time.perf_counter_ns()
        try:
            async with self._free:
                began = time.perf_counter_ns()
                timings.queue_ns = began - queued_ns
                answers = _Answers(lambda: self._each(feeds, wanted), f"serve {self.name}")
                self._running.add(answers)
                stop = request.context.on_leave(answers.leave) if request.context.on_leave else None
                try:
                    async for results in answers:
                        tensors = [
                            Tensor(port.name, port.datatype, array.shape, array)
                            for port, array in zip(ports, results, strict=True)
                        ]
                        yield InferResponse(self.name, self.version, tensors, request.id)
                finally:
                    answers.leave()
                    self._running.discard(answers)
                    if stop is not None:
                        stop()
                timings.infer_ns = time.perf_counter_ns() - began
                timings.rows = timings.batch_rows = 1
                self.statistics.executed(1, 0, timings.infer_ns, 0)
        finally:
            self.depth -= 1

    async def close(self) -> None:
        """Let what was accepted come to its end, for a while; then end it."""
        self._closed = True
        deadline = time.monotonic() + self._drain_s
        while self.depth and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for answers in list(self._running):
            answers.leave()


class _Answers:
    """What an iterator gives on a thread of its own, on the loop that made this."""

    def __init__(self, begin: Callable[[], Iterator[Results]], name: str) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._came: asyncio.Queue[Results | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._left = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def leave(self) -> None:
        """Nobody reads any more: waiting callers are told, and the thread ends after its next answer."""
        if not self._left:
            self._left = True
            self._came.put_nowait(ServeError(Code.CANCELLED, "the client left"))
            self._room.release()

    def __aiter__(self) -> _Answers:
        return self

    async def __anext__(self) -> Results:
        found = await self._came.get()
        self._room.release()
        if found is None:
            raise StopAsyncIteration
        if isinstance(found, Exception):
            raise found
        return found

    def _work(self) -> None:
        end: Exception | None = None
        try:
            given = self._begin()
            for results in given:
                self._room.acquire()
                if self._left:
                    given.close()  # type: ignore[attr-defined]
                    return
                self._tell(results)
        except Exception as error:
            end = error
        self._tell(end)

    def _tell(self, item: Results | Exception | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._came.put_nowait, item)
