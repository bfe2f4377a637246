"""What Prometheus is told: every metric as one row of a table, and the observer that feeds those of requests.

Decides names, labels and buckets. Must not know a transport, nor how a row is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sardonyx import __version__
from sardonyx.protocol.errors import Code
from sardonyx.protocol.messages import InferResponse
from sardonyx.serve.seams import Record

SECONDS = (
    *(50e-6, 100e-6, 250e-6, 500e-6),
    *(1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
UNKNOWN = "unknown"

_OF_MODEL = ("model", "version", "deployment")
_UNPROVEN = frozenset({Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.INVALID_ARGUMENT})


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: `kind` is counter, gauge or histogram; `unit` is what the numbers count."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = _OF_MODEL
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """The name of the series that a query reads."""
        return {"counter": f"{self.name}_total", "histogram": f"{self.name}_bucket"}.get(self.kind, self.name)


def _stage(name: str, help_text: str) -> Row:
    return Row(f"sardonyx_{name}_duration_seconds", "histogram", help_text, unit="s", buckets=SECONDS)


TABLE: tuple[Row, ...] = (
    Row(
        "sardonyx_requests", "counter", "Finished requests by outcome.", (*_OF_MODEL, "transport", "outcome")
    ),
    Row("sardonyx_rows", "counter", "Rows of successful requests: what a batch is made of."),
    Row("sardonyx_executions", "counter", "Runs of the model; a batch is one."),
    _stage("request", "From the last byte received to the answer handed over."),
    _stage("queue", "Waiting for a batch and a free instance."),
    _stage("input", "Assembling a batch."),
    _stage("infer", "Running the model."),
    _stage("output", "Taking a batch apart."),
    Row("sardonyx_batch_rows", "histogram", "Rows of the batch that a request ran in.", buckets=ROWS),
    Row("sardonyx_queue_requests", "gauge", "Requests that wait now.", ("model", "version")),
    Row("sardonyx_model_ready", "gauge", "1 if the version takes requests.", ("model", "version")),
    Row(
        "sardonyx_model_memory_bytes",
        "gauge",
        "Memory that the version's sessions hold.",
        ("model", "version"),
        "B",
    ),
    Row("sardonyx_payload_rows", "counter", "Rows written to the payload log.", ("model",)),
    Row(
        "sardonyx_payload_dropped", "counter", "Requests that the full buffer of the payload log missed.", ()
    ),
    Row("sardonyx_payload_bytes", "gauge", "Size of the payload log on disk.", (), "B"),
    Row(
        "sardonyx_monitor_value",
        "gauge",
        "The last value of a monitor's metric.",
        ("monitor", "model", "metric", "column"),
    ),
    Row(
        "sardonyx_monitor_threshold",
        "gauge",
        "Above it (below it for scores) the monitor alerts.",
        ("monitor", "model", "metric"),
    ),
    Row("sardonyx_monitor_alert", "gauge", "1 while a monitor is beyond a threshold.", ("monitor", "model")),
    Row(
        "sardonyx_monitor_run_timestamp_seconds",
        "gauge",
        "When a monitor ran last.",
        ("monitor", "model"),
        "s",
    ),
    Row("sardonyx_build_info", "gauge", "1; the version is in the label.", ("release",)),
)


class _Children:
    """The series that one (model, version, deployment) feeds, looked up once."""

    __slots__ = ("batch", "executions", "infer", "input", "output", "queue", "request", "rows")

    def __init__(self, metrics: Metrics, labels: tuple[str, str, str]) -> None:
        def child(name: str) -> Any:
            return metrics[name].labels(*labels)

        self.rows, self.executions = child("sardonyx_rows"), child("sardonyx_executions")
        self.request, self.queue = (
            child("sardonyx_request_duration_seconds"),
            child("sardonyx_queue_duration_seconds"),
        )
        self.input, self.infer = (
            child("sardonyx_input_duration_seconds"),
            child("sardonyx_infer_duration_seconds"),
        )
        self.output, self.batch = (
            child("sardonyx_output_duration_seconds"),
            child("sardonyx_batch_rows"),
        )


class Metrics:
    """All metrics in a registry of their own; an Observer. `metrics[name]` is the metric of a row.

    A name that no model has proven to own by an answer is counted as "unknown", so that clients cannot make
    series. `collectors` are further sources that are asked at each scrape.
    """

    def __init__(self, *, process: bool = True, collectors: Iterable[Any] = ()) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._metrics = {row.name: _make(row, self.registry) for row in TABLE}
        self._children: dict[tuple[str, str, str], _Children] = {}
        self._outcomes: dict[tuple[str, str, str, str, str], Any] = {}
        self["sardonyx_build_info"].labels(__version__).set(1)
        if process:
            for standard in (ProcessCollector, PlatformCollector, GCCollector):
                standard(registry=self.registry)
        for collector in collectors:
            self.registry.register(collector)

    def __getitem__(self, name: str) -> Any:
        return self._metrics[name]

    def observe(self, record: Record) -> None:
        """Count one finished request."""
        if record.response is None:
            self._count_failure(record)
            return
        target, spent = record.route.target, record.timings
        labels = (record.response.model, record.response.version, target.deployment)
        children = self._children.get(labels)
        if children is None:
            children = self._children[labels] = _Children(self, labels)
        self._outcome(labels, record.request.context.transport, "ok").inc()
        rows = rows_of(record.response)
        children.rows.inc(rows)
        children.executions.inc(min(1.0, rows / spent.batch_rows) if spent.batch_rows else 1.0)
        children.request.observe(spent.total_ns * 1e-9)
        children.queue.observe(spent.queue_ns * 1e-9)
        children.input.observe(spent.input_ns * 1e-9)
        children.infer.observe(spent.infer_ns * 1e-9)
        children.output.observe(spent.output_ns * 1e-9)
        children.batch.observe(spent.batch_rows or rows)

    def _count_failure(self, record: Record) -> None:
        target = record.route.target
        labels = (target.model, target.version, target.deployment)
        code = record.error.code if record.error is not None else Code.INTERNAL
        if code in _UNPROVEN and labels not in self._children:
            labels = (UNKNOWN, "", "")
        self._outcome(labels, record.request.context.transport, code.name.lower()).inc()

    def _outcome(self, labels: tuple[str, str, str], transport: str, outcome: str) -> Any:
        key = (*labels, transport, outcome)
        child = self._outcomes.get(key)
        if child is None:
            child = self._outcomes[key] = self["sardonyx_requests"].labels(*key)
        return child


def rows_of(response: InferResponse) -> int:
    """How many rows a response has: the common first size of its outputs, else 1."""
    sizes = {output.shape[0] if output.shape else 1 for output in response.outputs}
    return max(1, sizes.pop()) if len(sizes) == 1 else 1


def _make(row: Row, registry: CollectorRegistry) -> Any:
    if row.kind == "histogram":
        return Histogram(row.name, row.help, row.labels, buckets=row.buckets, registry=registry)
    kind = {"counter": Counter, "gauge": Gauge}[row.kind]
    return kind(row.name, row.help, row.labels, registry=registry)


def names() -> Sequence[str]:
    """The series that queries may use."""
    return [row.series for row in TABLE]
