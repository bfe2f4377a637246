"""Counts and times of one model version, in the form of the statistics extension.

Written on the event loop alone. Must not know how requests are run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from sardonyx.protocol.messages import Timings


@dataclass(slots=True)
class Duration:
    """How often something happened and the nanoseconds it took in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        """One more, or `count` that took `ns` together."""
        self.count += count
        self.ns += ns


_STAGES = (
    "success",
    "fail",
    "queue",
    "compute_input",
    "compute_infer",
    "compute_output",
    "cache_hit",
    "cache_miss",
)


@dataclass(slots=True)
class Statistics:
    """What a model version did so far."""

    inference_count: int = 0
    execution_count: int = 0
    last_inference_ms: int = 0
    stages: dict[str, Duration] = field(default_factory=lambda: {name: Duration() for name in _STAGES})
    batches: dict[int, tuple[Duration, Duration, Duration]] = field(default_factory=dict)

    def succeeded(self, timings: Timings, rows: int) -> None:
        """A request of so many rows was answered."""
        stages = self.stages
        self.inference_count += rows
        self.last_inference_ms = time.time_ns() // 1_000_000
        stages["success"].add(timings.total_ns)
        stages["queue"].add(timings.queue_ns)
        stages["compute_input"].add(timings.input_ns)
        stages["compute_infer"].add(timings.infer_ns)
        stages["compute_output"].add(timings.output_ns)

    def failed(self, timings: Timings) -> None:
        """A request was not answered."""
        self.stages["fail"].add(timings.total_ns)

    def executed(self, rows: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """The model ran once."""
        self.execution_count += 1
        row = self.batches.get(rows)
        if row is None:
            row = self.batches[rows] = (Duration(), Duration(), Duration())
        for duration, ns in zip(row, (input_ns, infer_ns, output_ns), strict=True):
            duration.add(ns)

    def document(self, name: str, version: str) -> dict[str, Any]:
        """The row of this model in the answer of the statistics extension."""
        return {
            "name": name,
            "version": version,
            "last_inference": self.last_inference_ms,
            "inference_count": self.inference_count,
            "execution_count": self.execution_count,
            "inference_stats": {stage: _written(duration) for stage, duration in self.stages.items()},
            "response_stats": {},
            "batch_stats": [
                {
                    "batch_size": rows,
                    "compute_input": _written(row[0]),
                    "compute_infer": _written(row[1]),
                    "compute_output": _written(row[2]),
                }
                for rows, row in sorted(self.batches.items())
            ],
            "memory_usage": [],
        }


def _written(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}
