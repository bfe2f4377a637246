"""Counters and histograms of requests, folded in bulk so that a request costs a microsecond.

Decides when numbers are folded and which names may become labels. Must not know other metrics.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from sardonyx.monitor.table import Row
from sardonyx.protocol.errors import Code
from sardonyx.protocol.messages import InferResponse, Timings
from sardonyx.serve.seams import Count, Kind, Record

UNKNOWN = "unknown"

_UNPROVEN = frozenset({Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.INVALID_ARGUMENT})
_FOLD_AT = 512

Labels = tuple[str, str, str]


class _Series:
    """What one (model, version, deployment) answered; `pending` rows are not yet in the counts."""

    __slots__ = ("counts", "executions", "fast", "pending", "rows", "sums")

    def __init__(self, histograms: tuple[Row, ...]) -> None:
        self.pending: list[tuple[float, ...]] = []
        self.rows = self.executions = 0.0
        self.fast = 0
        self.sums = np.zeros(len(histograms))
        self.counts = [np.zeros(len(row.buckets) + 1, np.int64) for row in histograms]

    def fold(self, histograms: tuple[Row, ...]) -> None:
        taken, self.pending = self.pending, []
        if not taken:
            return
        columns = np.array(taken, np.float64).T
        self.rows += columns[-2].sum()
        self.executions += columns[-1].sum()
        for i, row in enumerate(histograms):
            values = columns[i] * (1e-9 if row.unit == "s" else 1)
            self.sums[i] += values.sum()
            places = np.searchsorted(row.buckets, values, side="left")
            self.counts[i] += np.bincount(places, minlength=len(row.buckets) + 1)


class Requests:
    """The rows of the table that finished requests feed; an Observer and a collector of prometheus-client.

    A name that no model has proven to own by an answer is counted as "unknown", so that clients cannot make
    series.
    """

    def __init__(
        self, outcomes: Row, rows: Row, executions: Row, fast: Row, histograms: tuple[Row, ...]
    ) -> None:
        self._rows = (outcomes, rows, executions, fast)
        self._histograms = histograms
        self._series: dict[Labels, _Series] = {}
        self._outcomes: dict[tuple[str, ...], int] = {}
        self._answered: dict[str, str] = {}
        self._folding = threading.Lock()

    def observe(self, record: Record) -> None:
        """Count one finished request; only the event loop calls it."""
        response, spent = record.response, record.timings
        if response is None:
            self._count_failure(record)
            return
        labels = (response.model, response.version, record.route.target.deployment)
        self._answer(self._of(labels), spent, spent.rows or rows_of(response))
        self._count((*labels, record.request.context.transport, "ok"))

    def counter(self, kind: Kind) -> Count:
        """What counts answers of a kind, whose rows the server knows: those of the fast lane."""
        labels = (kind.model, kind.version, kind.deployment)
        series, key = self._of(labels), (*labels, kind.transport, "ok")
        answer, outcomes = self._answer, self._outcomes

        def count(spent: Timings, finished_s: float) -> None:
            answer(series, spent, spent.rows)
            series.fast += 1
            outcomes[key] = outcomes.get(key, 0) + 1

        return count

    def _of(self, labels: Labels) -> _Series:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(self._histograms)
            self._answered[labels[0]] = labels[1]
        return series

    def _answer(self, series: _Series, spent: Timings, rows: int) -> None:
        batch = spent.batch_rows or rows
        series.pending.append(
            (
                spent.total_ns,
                spent.queue_ns,
                spent.input_ns,
                spent.infer_ns,
                spent.output_ns,
                batch,
                rows,
                rows / batch,
            )
        )
        if len(series.pending) >= _FOLD_AT:
            self._fold(series)

    def collect(self) -> Iterator[Metric]:
        """The families of all rows, for a scrape."""
        for series in list(self._series.values()):
            self._fold(series)
        outcomes, rows, executions, fast = (
            CounterMetricFamily(r.name, r.help, labels=r.labels) for r in self._rows
        )
        for key, count in list(self._outcomes.items()):
            outcomes.add_metric(key, count)
        families = [HistogramMetricFamily(r.name, r.help, labels=r.labels) for r in self._histograms]
        for labels, series in list(self._series.items()):
            rows.add_metric(labels, series.rows)
            executions.add_metric(labels, series.executions)
            fast.add_metric(labels, series.fast)
            for row, family, counts, total in zip(
                self._histograms, families, series.counts, series.sums, strict=True
            ):
                family.add_metric(labels, _cumulative(row, counts), float(total))
        yield from (outcomes, rows, executions, fast, *families)

    def describe(self) -> list[Metric]:
        """Nothing: registering needs no scrape."""
        return []

    def _fold(self, series: _Series) -> None:
        with self._folding:
            series.fold(self._histograms)

    def _count_failure(self, record: Record) -> None:
        target = record.route.target
        version = target.version or self._answered.get(target.model, "")
        labels = (target.model, version, target.deployment)
        code = record.error.code if record.error is not None else Code.INTERNAL
        if code in _UNPROVEN and labels not in self._series:
            labels = (UNKNOWN, "", "")
        self._count((*labels, record.request.context.transport, code.name.lower()))

    def _count(self, key: tuple[str, ...]) -> None:
        self._outcomes[key] = self._outcomes.get(key, 0) + 1


def rows_of(response: InferResponse) -> int:
    """How many rows a response has, if the server did not count: the common first size of outputs, else 1."""
    rows = 0
    for output in response.outputs:
        size = output.shape[0] if output.shape else 1
        if rows and size != rows:
            return 1
        rows = size
    return rows or 1


def _cumulative(row: Row, counts: npt.NDArray[np.int64]) -> list[Any]:
    bounds = [*map(str, map(float, row.buckets)), "+Inf"]
    return list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
