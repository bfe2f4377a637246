"""What this gateway sees of its endpoints: counts for canaries, answers of shadows beside those served.

On the event loop it only notes; comparing and writing is done by `flush` on another thread. Must not know how
a canary decides.
"""

from __future__ import annotations

import socket
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sardonyx.database import Database
from sardonyx.protocol.errors import Code
from sardonyx.protocol.messages import Timings
from sardonyx.protocol.records import Difference
from sardonyx.registry.differences import Differences, difference
from sardonyx.registry.observed import Observed, Tally
from sardonyx.registry.state import State
from sardonyx.serve.seams import Count, Kind, Record

_FAILURES = frozenset({Code.INTERNAL, Code.UNAVAILABLE, Code.DEADLINE, Code.QUOTA})
"""What a deployment did wrong; quotas of keys are seen to before, so here that code is a full queue."""
_REFUSALS = frozenset({Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNSUPPORTED})
"""What the client did wrong, or a deployment that does not take what others take."""
_WAITED = frozenset({Code.CANCELLED})
"""Clients that left: they waited for at least so long, and may have had reasons of their own."""
_WAITING, _PAIRS, _WRITTEN = 1000, 1000, 100


class TrafficObserver:
    """Is told of every request; `flush` writes what was noted since the last time."""

    def __init__(self, state: Callable[[], State], database: Database) -> None:
        self._state = state
        self._tally = Tally()
        self._observed = Observed(database)
        self._differences = Differences(database)
        self._name = f"{socket.gethostname()[:40]}-{uuid.uuid4().hex[:8]}"
        self._served: OrderedDict[int, tuple[Record, int]] = OrderedDict()
        self._pairs: deque[tuple[Record, Record]] = deque(maxlen=_PAIRS)
        self._unwritten: dict[str, deque[Difference]] = {}

    def observe(self, record: Record) -> None:
        """Note a request of an endpoint."""
        deployment = record.route.target.deployment
        if not deployment:
            return
        if record.shadow_of:
            self._pair(record)
            return
        if record.route.shadows:
            self.shadowed(record)
        name = record.request.model
        endpoint = self._state().endpoints.get(name)
        if endpoint is not None and endpoint.canary:
            code = record.error.code if record.error else None
            if code in _REFUSALS:
                self._tally.refuse(name, deployment, record.finished_s)
            elif code is None or code in _FAILURES | _WAITED:
                seconds = record.timings.total_ns * 1e-9
                self._tally.add(name, deployment, record.finished_s, seconds, failed=code in _FAILURES)

    def shadowed(self, record: Record) -> None:
        """Keep an answer until its shadows have theirs."""
        self._served[id(record.request)] = (record, len(record.route.shadows))
        if len(self._served) > _WAITING:
            self._served.popitem(last=False)

    def counter(self, kind: Kind) -> Count:
        """What counts requests of an endpoint while a canary runs; others are not counted."""

        def count(spent: Timings, finished_s: float) -> None:
            endpoint = self._state().endpoints.get(kind.asked)
            if endpoint is not None and endpoint.canary:
                self._tally.add(kind.asked, kind.deployment, finished_s, spent.total_ns * 1e-9, failed=False)

        return count if kind.deployment else _nothing

    def flush(self) -> None:
        """Write counts and differences. Raises ServeError UNAVAILABLE; then they are kept for later."""
        self._compare()
        taken = self._tally.take()
        if taken:
            try:
                self._observed.add(self._name, taken)
            except Exception:
                self._tally.give_back(taken)
                raise
        for endpoint, found in list(self._unwritten.items()):
            self._differences.add(endpoint, list(found))
            del self._unwritten[endpoint]

    def _compare(self) -> None:
        """Put the newest differences of each endpoint to those that are not written yet."""
        for endpoint, differences in self._differing().items():
            self._unwritten.setdefault(endpoint, deque(maxlen=_WRITTEN)).extend(differences)

    def _differing(self) -> dict[str, list[Difference]]:
        """The newest differences of each endpoint, oldest first, among the answers that are there by now."""
        pairs = [self._pairs.popleft() for _ in range(len(self._pairs))]
        found: dict[str, deque[Difference]] = {}
        for served, shadow in reversed(pairs):
            newest = found.get(served.request.model, ())
            if len(newest) == _WRITTEN or not (detail := _compared(served, shadow)):
                continue
            one = Difference(
                deployment=served.route.target.deployment,
                shadow=shadow.route.target.deployment,
                request=served.request.id,
                at=datetime.fromtimestamp(served.finished_s, UTC),
                detail=detail,
            )
            found.setdefault(served.request.model, deque()).appendleft(one)
        return {endpoint: list(newest) for endpoint, newest in found.items()}

    def _pair(self, shadow: Record) -> None:
        entry = self._served.get(id(shadow.request))
        if entry is None:
            return
        served, left = entry
        if left > 1:
            self._served[id(shadow.request)] = (served, left - 1)
        else:
            del self._served[id(shadow.request)]
        self._pairs.append((served, shadow))


def _nothing(spent: Timings, finished_s: float) -> None:
    """A request that is not counted."""


def _compared(served: Record, shadow: Record) -> dict[str, Any]:
    if served.response is None and shadow.response is None:
        return {}
    if served.response is None or shadow.response is None:
        return {
            side: {"error": record.error.message if record.error else ""}
            for side, record in (("served", served), ("shadow", shadow))
            if record.response is None
        }
    return difference(served.response, shadow.response)
