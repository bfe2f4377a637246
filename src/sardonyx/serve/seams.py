"""What the data plane asks of those above it: who may, where to, what is there; and whom it tells.

Each has a default that asks nobody, so the data plane runs alone. Must not know the registry or the monitors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import InferRequest, InferResponse, Principal, Timings


class Guard(Protocol):
    """Decides who may do what."""

    def admit(self, headers: Mapping[str, str], action: str, model: str) -> Principal:
        """The principal behind the headers (names in lower case; gRPC metadata likewise).

        `action` is infer, metadata, repository or admin; `model` may be "". Answers from memory, since it
        is asked on the event loop. Raises ServeError: UNAUTHENTICATED, FORBIDDEN, QUOTA.
        """


class OpenGuard:
    """Everybody may do everything."""

    def admit(self, headers: Mapping[str, str], action: str, model: str) -> Principal:
        """Always the anonymous principal."""
        return Principal()


_ROUTES_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A model version, and the deployment in whose name it is asked ("" = the model itself)."""

    model: str
    version: str
    deployment: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where a request goes: `target` answers, `shadows` are asked too and their answers only recorded.

    A router that gives the same object again says that nothing has changed; `drawn` says that chance decided,
    so that whoever asks a second time for the same request may get another.
    """

    target: Target
    shadows: tuple[Target, ...] = ()
    drawn: bool = False


class Router(Protocol):
    """Decides which version of which model answers."""

    def route(self, request: InferRequest) -> Route:
        """The route of a request whose `model` may be the name of an endpoint.

        Answers from memory, and looks at model, version and the context's headers alone.
        """

    def endpoints(self) -> Collection[str]:
        """The names that are endpoints and no models."""


class DirectRouter:
    """A name is the name of a model."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}

    def route(self, request: InferRequest) -> Route:
        """The model and version that the request names."""
        names = (request.model, request.version)
        route = self._routes.get(names)
        if route is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            route = self._routes[names] = Route(Target(*names))
        return route

    def endpoints(self) -> Collection[str]:
        """There are none."""
        return ()


@dataclass(frozen=True, slots=True)
class Record:
    """One finished request: `response` or `error` is there; `finished_s` is Unix time in seconds."""

    request: InferRequest
    route: Route
    response: InferResponse | None
    error: ServeError | None
    timings: Timings
    finished_s: float
    shadow_of: str = ""


Count = Callable[[Timings, float], None]
"""Counts one more answer of a kind: its times, and when it was finished in Unix time."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Answers that differ in their times alone to those who count them; `asked` is the name asked for."""

    asked: str
    model: str
    version: str
    deployment: str
    transport: str


class Observer(Protocol):
    """Is told of every finished request."""

    def observe(self, record: Record) -> None:
        """Called on the event loop: takes microseconds, keeps no view of the arrays longer than it must."""


@runtime_checkable
class Counting(Observer, Protocol):
    """An observer that can do without the records of answers."""

    def counter(self, kind: Kind) -> Count | None:
        """What counts answers of a kind from now on as `observe` does; None if that needs the records."""


@runtime_checkable
class Comparing(Counting, Protocol):
    """A counting observer that lays answers beside those of their shadows."""

    def shadowed(self, record: Record) -> None:
        """Called on the event loop with an answer that was counted, before its shadows are asked."""


def counters(observers: Iterable[Observer], kind: Kind) -> list[Count] | None:
    """The counters of all observers; None if one of them needs the records."""
    found = [observer.counter(kind) if isinstance(observer, Counting) else None for observer in observers]
    return None if None in found else [count for count in found if count is not None]


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a model that could be served; `digest` changes exactly when its content does.

    Of those that are `essential`, a strict server must have loaded all to be ready. `fault` says why one
    could not even be read.
    """

    name: str
    version: str
    path: Path
    digest: str
    config: Mapping[str, Any] = field(default_factory=dict)
    essential: bool = True
    fault: str = ""


class Source(Protocol):
    """Where models come from: a folder, a registry."""

    def offers(self) -> Sequence[Offer]:
        """All versions that should be available now; files are local by then. May block: not on the loop."""
