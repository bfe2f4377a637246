"""All metrics in one registry of prometheus-client, and the ASGI application that a scrape asks.

Decides what is registered. Must not know the server that it is mounted in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, make_asgi_app
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sardonyx import __version__
from sardonyx.monitor.requests import Requests
from sardonyx.monitor.table import EXECUTIONS, FAST, HISTOGRAMS, OTHERS, OUTCOMES, ROWS
from sardonyx.monitor.triton import TritonNames
from sardonyx.serve.seams import Count, Kind, Record


class Metrics:
    """Every metric of the table; an Observer. `metrics[name]` is a counter or gauge of prometheus-client.

    With `triton` the names that Triton's dashboards know are there too; with `process` those of the process.
    """

    def __init__(self, *, triton: bool = False, process: bool = True) -> None:
        self.before_scrape: Callable[[], None] = lambda: None
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Requests(OUTCOMES, ROWS, EXECUTIONS, FAST, HISTOGRAMS)
        self.registry.register(self.requests)
        kinds: dict[str, Any] = {"counter": Counter, "gauge": Gauge}
        self._others = {
            row.name: kinds[row.kind](row.name, row.help, row.labels, registry=self.registry)
            for row in OTHERS
        }
        self["sardonyx_build_info"].labels(__version__).set(1)
        if triton:
            self.registry.register(TritonNames(self.requests, self["sardonyx_queue_requests"]))
        if process:
            for standard in (ProcessCollector, PlatformCollector, GCCollector):
                standard(registry=self.registry)

    def __getitem__(self, name: str) -> Any:
        return self._others[name]

    def observe(self, record: Record) -> None:
        """Count one finished request."""
        self.requests.observe(record)

    def counter(self, kind: Kind) -> Count:
        """What counts answers of a kind."""
        return self.requests.counter(kind)

    def application(self) -> Any:
        """The ASGI application for /metrics: text or OpenMetrics as the client asks, compressed or not."""
        scrape = make_asgi_app(self.registry)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            self.before_scrape()
            await scrape(scope, receive, send)

        return application
