"""The last minutes of every model, second by second: what a person watches.

Decides what is kept of a request (its second and the slot of a logarithmic histogram). Memory is bounded by
time and models. Must not know who watches.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sardonyx.monitor.requests import rows_of
from sardonyx.protocol.messages import Timings
from sardonyx.serve.seams import Count, Kind, Record

WINDOW_S = 900
_PER_DOUBLING = 4
_FLOOR_NS = 1000.0
_SLOTS = 36 * _PER_DOUBLING
_MODELS = 1000


@dataclass(slots=True)
class Second:
    """What finished within one second of Unix time: counts, and sums in nanoseconds."""

    at: int
    requests: int = 0
    failures: int = 0
    rows: int = 0
    executions: float = 0.0
    queue_ns: int = 0
    infer_ns: int = 0
    total_ns: int = 0
    slots: dict[int, int] = field(default_factory=dict)

    def add(self, other: Second) -> None:
        """Count another second's requests too."""
        self.requests += other.requests
        self.failures += other.failures
        self.rows += other.rows
        self.executions += other.executions
        self.queue_ns += other.queue_ns
        self.infer_ns += other.infer_ns
        self.total_ns += other.total_ns
        for slot, count in other.slots.items():
            self.slots[slot] = self.slots.get(slot, 0) + count

    def quantile_s(self, share: float) -> float:
        """The latency in seconds that `share` of the successful requests did not exceed; NaN without any."""
        wanted = share * sum(self.slots.values())
        if not wanted:
            return math.nan
        seen = 0
        for slot in sorted(self.slots):
            count = self.slots[slot]
            if seen + count >= wanted:
                inside = (wanted - seen) / count
                return float(_FLOOR_NS * 2 ** ((slot + inside - 1) / _PER_DOUBLING) * 1e-9)
            seen += count
        return math.nan


class Live:
    """Seconds of each (model, version, deployment); an Observer."""

    def __init__(self, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s
        self._series: dict[tuple[str, str, str], deque[Second]] = {}
        self._answered: dict[str, str] = {}

    def observe(self, record: Record) -> None:
        """Count one finished request in the second that it finished in."""
        response, target, spent = record.response, record.route.target, record.timings
        if response is None:
            version = target.version or self._answered.get(target.model, "")
            series = self._series.get((target.model, version, target.deployment))
            if series is not None:
                self._second(series, int(record.finished_s)).failures += 1
            return
        series = self._of((response.model, response.version, target.deployment))
        self._answer(series, spent, spent.rows or rows_of(response), record.finished_s)

    def counter(self, kind: Kind) -> Count:
        """What counts answers of a kind, whose rows the server knows."""
        key = (kind.model, kind.version, kind.deployment)

        def count(spent: Timings, finished_s: float) -> None:
            self._answer(self._of(key), spent, spent.rows, finished_s)

        return count

    def _of(self, key: tuple[str, str, str]) -> deque[Second]:
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= _MODELS:
                self._series.pop(next(iter(self._series)))
            series = self._series[key] = deque(maxlen=self._window_s)
            self._answered[key[0]] = key[1]
        return series

    def _answer(self, series: deque[Second], spent: Timings, rows: int, finished_s: float) -> None:
        second = self._second(series, int(finished_s))
        second.requests += 1
        second.rows += rows
        second.executions += min(1.0, rows / spent.batch_rows) if spent.batch_rows else 1.0
        second.queue_ns += spent.queue_ns
        second.infer_ns += spent.infer_ns
        second.total_ns += spent.total_ns
        slot = slot_of(spent.total_ns)
        second.slots[slot] = second.slots.get(slot, 0) + 1

    def keys(self) -> list[tuple[str, str, str]]:
        """Every (model, version, deployment) that answered since the start."""
        return list(self._series)

    def seconds(
        self, span_s: int, model: str = "", version: str = "", deployment: str | None = None
    ) -> list[Second]:
        """The last `span_s` whole seconds, oldest first, idle ones too; summed over what is not named."""
        end = int(time.time())
        sums = [Second(at) for at in range(end - span_s, end)]
        for key, series in list(self._series.items()):
            if model not in ("", key[0]) or version not in ("", key[1]) or deployment not in (None, key[2]):
                continue
            for second in list(series):
                if 0 <= (place := second.at - (end - span_s)) < span_s:
                    sums[place].add(second)
        return sums

    def _second(self, series: deque[Second], at: int) -> Second:
        while series and series[-1].at > at + 1:  # the clock was set back
            series.pop()
        if not series or series[-1].at < at:
            series.append(Second(at))
        return series[-1]


def total(seconds: Iterable[Second]) -> Second:
    """All of them as one."""
    whole = Second(0)
    for second in seconds:
        whole.add(second)
    return whole


def slot_of(duration_ns: float) -> int:
    """The slot of the logarithmic histogram, four to a doubling from 1 us on."""
    if duration_ns <= _FLOOR_NS:
        return 0
    return min(_SLOTS, 1 + int(math.log2(duration_ns / _FLOOR_NS) * _PER_DOUBLING))
