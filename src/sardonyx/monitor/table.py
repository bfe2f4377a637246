"""Every metric that Prometheus is told, as one row of a table.

Decides names, labels, units and buckets. Must not know who feeds a row, nor how it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = (
    *(50e-6, 100e-6, 250e-6, 500e-6),
    *(1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
ROWS_OF_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_OF_DEPLOYMENT = ("model", "version", "deployment")
_OF_VERSION = ("model", "version")
_OF_MONITOR = ("monitor", "model")


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: `kind` is counter, gauge or histogram; `unit` is what the numbers count."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = _OF_DEPLOYMENT
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """The name of the series that a query reads."""
        return {"counter": f"{self.name}_total", "histogram": f"{self.name}_bucket"}.get(self.kind, self.name)


def _counter(name: str, text: str, labels: tuple[str, ...] = _OF_DEPLOYMENT) -> Row:
    return Row(f"sardonyx_{name}", "counter", text, labels)


def _gauge(name: str, text: str, labels: tuple[str, ...], unit: str = "") -> Row:
    return Row(f"sardonyx_{name}", "gauge", text, labels, unit)


def _stage(name: str, text: str) -> Row:
    return Row(f"sardonyx_{name}_duration_seconds", "histogram", text, unit="s", buckets=SECONDS)


OUTCOMES = _counter("requests", "Finished requests by outcome.", (*_OF_DEPLOYMENT, "transport", "outcome"))
ROWS = _counter("rows", "Rows of successful requests: what a batch is made of.")
EXECUTIONS = _counter("executions", "Runs of the model; a batch is one.")
FAST = _counter("fast_lane_requests", "Finished requests that the fast lane answered.")
HISTOGRAMS = (
    _stage("request", "From the last byte received to the answer handed over."),
    _stage("queue", "Waiting for a batch and a free instance."),
    _stage("input", "Assembling a batch."),
    _stage("infer", "Running the model."),
    _stage("output", "Taking a batch apart."),
    Row(
        "sardonyx_batch_rows",
        "histogram",
        "Rows of the batch that a request ran in.",
        buckets=ROWS_OF_BATCH,
    ),
)
OTHERS = (
    _gauge("queue_requests", "Requests that wait now.", _OF_VERSION),
    _gauge("model_ready", "1 if the version takes requests.", _OF_VERSION),
    _gauge("model_memory_bytes", "Memory that the version's sessions hold.", _OF_VERSION, "B"),
    _counter("payload_rows", "Rows written to the payload log.", ("model",)),
    _counter("payload_dropped", "Requests that the full buffer of the payload log missed.", ()),
    _gauge("payload_bytes", "Size of the payload log on disk.", (), "B"),
    _gauge("monitor_value", "The last value of a monitor's metric.", (*_OF_MONITOR, "metric", "column")),
    _gauge("monitor_threshold", "The value from which on a monitor alerts.", (*_OF_MONITOR, "metric")),
    _gauge("monitor_alert", "1 while a monitor is beyond a threshold.", _OF_MONITOR),
    _gauge("monitor_run_timestamp_seconds", "When a monitor ran last.", _OF_MONITOR, "s"),
    _gauge("build_info", "1; the version is in the label.", ("release",)),
)
TABLE: tuple[Row, ...] = (OUTCOMES, ROWS, EXECUTIONS, FAST, *HISTOGRAMS, *OTHERS)
