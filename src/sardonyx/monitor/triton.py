"""The names of metrics that Triton's dashboards know, computed from our own at each scrape.

Decides only names and sums. Must not be asked when a request finishes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client import Gauge
from prometheus_client.core import GaugeMetricFamily, Metric, Sample, UnknownMetricFamily

from sardonyx.monitor.requests import Requests

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
    """A collector over the rows of requests and the gauge of those that wait.

    The names have no `_total`, so the text format cannot call them counters; to PromQL they are.
    """

    def __init__(self, requests: Requests, waiting: Gauge) -> None:
        self._requests, self._waiting = requests, waiting

    def collect(self) -> Iterator[Metric]:
        """The counters and the gauge that Triton would have."""
        samples: dict[str, list[Sample]] = defaultdict(list)
        for family in (*self._requests.collect(), *self._waiting.collect()):
            for sample in family.samples:
                samples[sample.name].append(sample)
        successes, failures = _outcomes(samples["sardonyx_requests_total"])
        yield _counter("nv_inference_request_success", "Successful requests", successes)
        yield _counter("nv_inference_request_failure", "Failed requests", failures, (*_LABELS, "reason"))
        rows, runs = _sums(samples["sardonyx_rows_total"]), _sums(samples["sardonyx_executions_total"])
        yield _counter("nv_inference_count", "Inferences, rows of batches", rows)
        yield _counter("nv_inference_exec_count", "Executions of models", runs)
        pending = GaugeMetricFamily(
            "nv_inference_pending_request_count", "Requests that wait now", labels=_LABELS
        )
        for labels, value in _sums(samples["sardonyx_queue_requests"]).items():
            pending.add_metric(labels, value)
        yield pending
        for name, (stage, text) in _DURATIONS.items():
            seconds = _sums(samples[f"sardonyx_{stage}_duration_seconds_sum"])
            yield _counter(name, text, {labels: value * 1e6 for labels, value in seconds.items()})

    def describe(self) -> list[Metric]:
        """Nothing: registering needs no scrape."""
        return []


def _sums(samples: Iterable[Sample]) -> _Sums:
    sums: _Sums = defaultdict(float)
    for sample in samples:
        sums[tuple(sample.labels[label] for label in _LABELS)] += sample.value
    return sums


def _outcomes(samples: Iterable[Sample]) -> tuple[_Sums, _Sums]:
    successes: _Sums = defaultdict(float)
    failures: _Sums = defaultdict(float)
    for sample in samples:
        key = tuple(sample.labels[label] for label in _LABELS)
        if sample.labels["outcome"] == "ok":
            successes[key] += sample.value
        else:
            failures[(*key, _reason(sample.labels["outcome"]))] += sample.value
    return successes, failures


def _reason(outcome: str) -> str:
    return _REASONS.get(outcome, "BACKEND" if outcome == "internal" else "OTHER")


def _counter(name: str, text: str, sums: _Sums, labels: tuple[str, ...] = _LABELS) -> Metric:
    family = UnknownMetricFamily(name, text, labels=labels)
    for key, value in sums.items():
        family.add_metric(key, value)
    return family
