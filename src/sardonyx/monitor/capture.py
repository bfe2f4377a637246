"""Which finished requests are kept, and their copies until the payload log writes them.

Decides sampling, the bound of the buffer and what is too large to copy. Must not know files.
"""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sardonyx.protocol.classify import PARAMETER
from sardonyx.protocol.messages import Tensor, Timings
from sardonyx.serve.seams import Record

_OVERHEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Collection:
    """What is collected of a model.

    `sampling_rate` is the share of requests; `redact` maps a column (`in.NAME`, `out.NAME` or `principal`) to
    drop or hash; `patterns` are the kinds of words replaced within texts (email, phone, card, address). A
    value of more than `max_elements` is kept as its summary alone, a tensor of more than `max_tensor_bytes`
    not at all. `rows` tells whether the first axis is that of a batch: always, never, or "auto", if all
    tensors agree on its size.
    """

    sampling_rate: float = 1.0
    redact: dict[str, str] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    max_elements: int = 1024
    max_tensor_bytes: int = 32 << 20
    rows: str = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.sampling_rate <= 1:
            raise ValueError(f"sampling_rate {self.sampling_rate}: give a number from 0 to 1")
        if self.rows not in ("auto", "always", "never"):
            raise ValueError(f"rows {self.rows!r}: give auto, always or never")
        for column, way in self.redact.items():
            if way not in ("drop", "hash"):
                raise ValueError(f"redact {column!r}: give drop or hash, not {way!r}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A finished request with arrays of its own; an array is None where it was too large to copy."""

    id: str
    model: str
    version: str
    deployment: str
    principal: str
    transport: str
    status: str
    message: str | None
    shadow_of: str
    timings: Timings
    finished_s: float
    inputs: dict[str, npt.NDArray[np.generic] | None]
    outputs: dict[str, npt.NDArray[np.generic] | None]
    size_bytes: int


class Capture:
    """The bounded buffer between the event loop and the payload log; an Observer.

    `collections` maps a model to what is collected of it; "*" stands for all others. A full buffer misses new
    requests and counts them in `dropped`.
    """

    def __init__(self, collections: dict[str, Collection] | None = None, max_bytes: int = 64 << 20) -> None:
        self.collections = {"*": Collection()} if collections is None else dict(collections)
        self.dropped = 0
        self.ready = threading.Event()
        self._max_bytes, self._held_bytes = max_bytes, 0
        self._ring: deque[Snapshot] = deque()
        self._lock = threading.Lock()
        self._random = random.Random()

    def collection(self, model: str) -> Collection | None:
        """What is collected of a model; None for nothing."""
        return self.collections.get(model) or self.collections.get("*")

    def observe(self, record: Record) -> None:
        """Keep a copy of a finished request if its model's sample takes it."""
        model = record.route.target.model or record.request.model
        collection = self.collection(model)
        if collection is None or collection.sampling_rate <= 0:
            return
        if collection.sampling_rate < 1 and self._random.random() >= collection.sampling_rate:
            return
        outputs = _as_given(record)
        size = _OVERHEAD_BYTES + sum(_bytes_of(t, collection) for t in (*record.request.inputs, *outputs))
        if self._held_bytes + size > self._max_bytes:
            self.dropped += 1
            return
        snapshot = _snapshot(record, collection, size)
        with self._lock:
            self._ring.append(snapshot)
            self._held_bytes += size
        if self._held_bytes * 2 > self._max_bytes:
            self.ready.set()

    def take(self) -> list[Snapshot]:
        """All that is kept, oldest first; the buffer is empty then."""
        with self._lock:
            taken, self._ring = list(self._ring), deque()
            self._held_bytes = 0
            self.ready.clear()
        return taken


def _snapshot(record: Record, collection: Collection, size: int) -> Snapshot:
    request, response, target = record.request, record.response, record.route.target
    context = request.context
    code = "ok" if response is not None else record.error.code.name.lower() if record.error else "internal"
    return Snapshot(
        request.known_as,
        target.model or request.model,
        response.version if response is not None else target.version,
        target.deployment,
        context.principal.name,
        context.transport,
        code,
        record.error.message if record.error is not None else None,
        record.shadow_of,
        record.timings,
        record.finished_s,
        _copies(request.inputs, collection),
        _copies(_as_given(record), collection),
        size,
    )


def _as_given(record: Record) -> list[Tensor]:
    """The outputs as the model gave them: not those that the client asked to have classified."""
    if record.response is None:
        return []
    classified = {row.name for row in record.request.outputs or () if PARAMETER in row.parameters}
    return [tensor for tensor in record.response.outputs if tensor.name not in classified]


def _bytes_of(tensor: Tensor, collection: Collection) -> int:
    if tensor.data.dtype.kind == "O":
        return sum(len(item) for item in tensor.data.reshape(-1)) + 64 * tensor.data.size
    return 0 if tensor.data.nbytes > collection.max_tensor_bytes else tensor.data.nbytes


def _copies(tensors: list[Tensor], collection: Collection) -> dict[str, npt.NDArray[np.generic] | None]:
    return {
        t.name: None if t.data.nbytes > collection.max_tensor_bytes else np.array(t.data).reshape(t.shape)
        for t in tensors
        if math.prod(t.shape) == t.data.size
    }
