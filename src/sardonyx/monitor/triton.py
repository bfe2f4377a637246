"""The names of metrics that Triton's dashboards know, computed from our own at each scrape.

Decides only names and sums. Must not be asked when a request finishes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily

from sardonyx.monitor.metrics import Metrics

_DURATIONS = {
    "nv_inference_request_duration_us": ("request", "Cumulative time of requests, in microseconds"),
    "nv_inference_queue_duration_us": ("queue", "Cumulative time in queues, in microseconds"),
    "nv_inference_compute_input_duration_us": (
        "input",
        "Cumulative time of preparing inputs, in microseconds",
    ),
    "nv_inference_compute_infer_duration_us": ("infer", "Cumulative time of running, in microseconds"),
    "nv_inference_compute_output_duration_us": ("output", "Cumulative time of outputs, in microseconds"),
}
_REASONS = {"unavailable": "REJECTED", "quota": "REJECTED", "deadline": "REJECTED", "cancelled": "CANCELED"}
_LABELS = ("model", "version")

_Sums = dict[tuple[str, ...], float]


class TritonNames:
    """A collector beside the metrics: `metrics.registry.register(TritonNames(metrics))`.

    The names have no `_total`, so the text format cannot call them counters; to PromQL they are.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The counters and the gauge that Triton would have."""
        successes, failures = self._requests()
        yield _counter("nv_inference_request_success", "Successful requests", successes)
        yield _counter("nv_inference_request_failure", "Failed requests", failures, (*_LABELS, "reason"))
        yield _counter(
            "nv_inference_count", "Inferences, rows of batches", self._sums("sardonyx_rows", "_total")
        )
        yield _counter(
            "nv_inference_exec_count",
            "Executions of models",
            self._sums("sardonyx_executions", "_total"),
        )
        pending = GaugeMetricFamily(
            "nv_inference_pending_request_count", "Requests that wait now", labels=_LABELS
        )
        for labels, value in self._sums("sardonyx_queue_requests", "").items():
            pending.add_metric(labels, value)
        yield pending
        for name, (stage, text) in _DURATIONS.items():
            seconds = self._sums(f"sardonyx_{stage}_duration_seconds", "_sum")
            yield _counter(name, text, {labels: value * 1e6 for labels, value in seconds.items()})

    def describe(self) -> list[Metric]:
        """Nothing, so that registering asks no metric."""
        return []

    def _sums(self, name: str, suffix: str) -> _Sums:
        sums: _Sums = defaultdict(float)
        for sample in self._samples(name, suffix):
            sums[tuple(sample[0][label] for label in _LABELS)] += sample[1]
        return sums

    def _requests(self) -> tuple[_Sums, _Sums]:
        successes: _Sums = defaultdict(float)
        failures: _Sums = defaultdict(float)
        for labels, value in self._samples("sardonyx_requests", "_total"):
            key = tuple(labels[label] for label in _LABELS)
            if labels["outcome"] == "ok":
                successes[key] += value
            else:
                failures[(*key, _reason(labels["outcome"]))] += value
        return successes, failures

    def _samples(self, name: str, suffix: str) -> Iterator[tuple[dict[str, str], float]]:
        for metric in self._metrics[name].collect():
            for sample in metric.samples:
                if sample.name == name + suffix:
                    yield sample.labels, sample.value


def _reason(outcome: str) -> str:
    return _REASONS.get(outcome, "BACKEND" if outcome == "internal" else "OTHER")


def _counter(name: str, text: str, sums: _Sums, labels: tuple[str, ...] = _LABELS) -> Metric:
    family = UnknownMetricFamily(name, text, labels=labels)
    for key, value in sums.items():
        family.add_metric(key, value)
    return family
