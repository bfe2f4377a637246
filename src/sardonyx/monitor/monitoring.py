"""Everything that watches a server, put together: metrics, live seconds, traces, logs, payload log, monitors.

Decides what is on and in which order it starts and stops. Must not know the server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sardonyx.client.outbound import Outbound
from sardonyx.database import Database
from sardonyx.monitor.book import Book
from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.live import Live
from sardonyx.monitor.logs import RequestLog
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.notify import Mail, Notifier
from sardonyx.monitor.payload import PayloadLog
from sardonyx.monitor.store import Store
from sardonyx.monitor.traces import Traces
from sardonyx.monitor.watch import Baselines, Watch
from sardonyx.protocol.messages import Timings
from sardonyx.serve.seams import Count, Kind, Observer, Record, counters
from sardonyx.serve.settings import TraceSettings

_log = logging.getLogger("sardonyx.monitor")


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """What a server watches.

    `collections` turns the payload log on and says what is collected by model ("*" for all others); it is off
    if empty. `triton_names` adds the metric names of Triton. `private_webhooks` lets webhooks reach addresses
    of this machine and its networks.
    """

    home: Path
    collections: dict[str, Collection] = field(default_factory=dict)
    payload_max_age_s: float = 30 * 86400
    payload_max_bytes: int = 10 * 10**9
    triton_names: bool = False
    log_requests: bool = False
    trace_sampling_rate: float = 1.0
    private_webhooks: bool = False


@dataclass(frozen=True, slots=True)
class Gauge:
    """How a model version stands now."""

    model: str
    version: str
    ready: bool
    waiting: int
    memory_bytes: int = 0


class Monitoring:
    """All observers of a server and what they feed; `observe` is told of every finished request."""

    def __init__(
        self,
        options: MonitorOptions,
        database: Database | None = None,
        gauges: Callable[[], Iterable[Gauge]] = tuple,
        trace: TraceSettings | None = None,
    ) -> None:
        self.options = options
        self.gauges = gauges
        self.metrics = Metrics(triton=options.triton_names)
        self.live = Live()
        self.store: Store | None = None
        self.payload: PayloadLog | None = None
        self.watch: Watch | None = None
        observers: list[Observer] = [
            self.metrics,
            self.live,
            Traces(sampling_rate=options.trace_sampling_rate, settings=trace),
        ]
        if options.log_requests:
            observers.append(RequestLog())
        if options.collections:
            self.store = Store(
                options.home / "payload",
                max_age_s=options.payload_max_age_s,
                max_bytes=options.payload_max_bytes,
            )
            self.payload = PayloadLog(Capture(options.collections), self.store, self.metrics)
            observers.append(self.payload.capture)
        if database is not None and self.store is not None:
            self._notifier = Notifier(Outbound(private=options.private_webhooks), Mail.from_environment())
            baselines = Baselines(options.home / "baselines")
            self.watch = Watch(Book(database), self.store, baselines, self.metrics, self._notifier)
        self._observers = [o for o in observers if getattr(o, "active", True)]
        self._broken: set[str] = set()
        self.metrics.before_scrape = self.refresh

    def observe(self, record: Record) -> None:
        """Tell every observer; one that fails is logged once and costs no request."""
        for observer in self._observers:
            try:
                observer.observe(record)
            except Exception:
                self._failed(observer)

    def counter(self, kind: Kind) -> Count | None:
        """What counts answers of a kind for all observers; None if one of them needs the records."""
        found = counters(self._observers, kind)
        if found is None:
            return None
        pairs = list(zip(self._observers, found, strict=True))

        def count(spent: Timings, finished_s: float) -> None:
            for observer, one in pairs:
                try:
                    one(spent, finished_s)
                except Exception:
                    self._failed(observer)

        return count

    def _failed(self, observer: Observer) -> None:
        name = type(observer).__name__
        if name not in self._broken:
            self._broken.add(name)
            _log.exception("%s failed to observe a request; it is told of the next ones all the same", name)

    def refresh(self) -> None:
        """Ask how the models stand, for a scrape."""
        ready, waiting, memory = (
            self.metrics[f"sardonyx_{name}"]
            for name in ("model_ready", "queue_requests", "model_memory_bytes")
        )
        for gauge in (ready, waiting, memory):
            gauge.clear()
        for stand in self.gauges():
            labels = (stand.model, stand.version)
            ready.labels(*labels).set(stand.ready)
            waiting.labels(*labels).set(stand.waiting)
            memory.labels(*labels).set(stand.memory_bytes)

    def start(self) -> None:
        """Start the threads."""
        if self.payload is not None:
            self.payload.start()
        if self.watch is not None:
            self.watch.start()

    def close(self) -> None:
        """Write what is left and end the threads."""
        if self.watch is not None:
            self.watch.close()
            self._notifier.close()
        if self.payload is not None:
            self.payload.close()
