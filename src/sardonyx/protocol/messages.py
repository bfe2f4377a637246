"""Requests and responses as every transport hands them over; tensors are numpy arrays.

Must not know how they were written on the wire.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy.typing as npt

Parameter = bool | int | float | str
Parameters = dict[str, Parameter]
REQUEST_ID = "x-request-id"
_LONGEST_ID = 128
OnLeave = Callable[[Callable[[], None]], Callable[[], object]]


@dataclass(slots=True)
class Tensor:
    """A named array; `datatype` is the protocol's name (FP32, BYTES ...); BYTES hold bytes objects."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: npt.NDArray[Any]
    parameters: Parameters = field(default_factory=dict)


@dataclass(slots=True)
class RequestedOutput:
    """An output that the client asks for by name."""

    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key, a token or nobody; `name` is what logs and audits may show.

    `models` are shell patterns of the names of models and endpoints that it may ask for.
    """

    name: str = "anonymous"
    scopes: frozenset[str] = frozenset()
    models: tuple[str, ...] = ("*",)

    def may_see(self, name: str) -> bool:
        """Whether a model or endpoint of this name exists for this principal."""
        return "*" in self.models or any(fnmatchcase(name, pattern) for pattern in self.models)


@dataclass(slots=True)
class Context:
    """What is known of a request beside its tensors; times are `time.perf_counter_ns()`.

    `on_leave(f)` calls `f` when the client goes away, until what it returned is called; None if nobody knows.
    """

    transport: str = "local"
    headers: Mapping[str, str] = field(default_factory=dict)
    principal: Principal = field(default_factory=Principal)
    received_ns: int = field(default_factory=time.perf_counter_ns)
    deadline_ns: int | None = None
    priority: int = 0
    on_leave: OnLeave | None = None
    drawn_id: str = ""

    @property
    def told_id(self) -> str:
        """The id of the request that its client is told: the client's own, else one that was drawn, or ""."""
        return self.headers.get(REQUEST_ID, "")[:_LONGEST_ID] or self.drawn_id


@dataclass(slots=True)
class InferRequest:
    """One inference; `version` is "" for the model's default, `outputs` None for all of them."""

    model: str
    inputs: list[Tensor]
    version: str = ""
    id: str = ""
    parameters: Parameters = field(default_factory=dict)
    outputs: list[RequestedOutput] | None = None
    context: Context = field(default_factory=Context)

    @property
    def known_as(self) -> str:
        """The id under which the request is kept: its own, else what its client is told; drawn if need be."""
        context = self.context
        if not self.id and not context.told_id:
            context.drawn_id = uuid.uuid4().hex
        return self.id or context.told_id


@dataclass(slots=True)
class InferResponse:
    """What a model answered; `model` and `version` are those that really ran."""

    model: str
    version: str
    outputs: list[Tensor]
    id: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(slots=True)
class Timings:
    """Nanoseconds that a request spent in each stage; its own rows and those of the batch that it ran in."""

    queue_ns: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0
    total_ns: int = 0
    rows: int = 0
    batch_rows: int = 0
