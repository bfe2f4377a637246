"""Counts and times of one model version, in the form of the statistics extension.

Written on the event loop alone. Must not know how requests are run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from sardonyx.protocol.messages import Timings


@dataclass(slots=True)
class Executions:
    """How often the model ran on so many rows, and the nanoseconds that it took in all."""

    count: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0


@dataclass(slots=True)
class Statistics:
    """What a model version did so far; `answers` and `failures` are requests, times are sums over them."""

    rows: int = 0
    executions: int = 0
    last_ns: int = 0
    answers: int = 0
    failures: int = 0
    total_ns: int = 0
    failed_ns: int = 0
    queue_ns: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0
    hits: int = 0
    hit_ns: int = 0
    misses: int = 0
    miss_ns: int = 0
    batches: dict[int, Executions] = field(default_factory=dict)

    def succeeded(self, timings: Timings) -> None:
        """A request was answered."""
        self.last_ns = time.time_ns()
        self.answers += 1
        self.rows += timings.rows
        self.total_ns += timings.total_ns
        self.queue_ns += timings.queue_ns
        self.input_ns += timings.input_ns
        self.infer_ns += timings.infer_ns
        self.output_ns += timings.output_ns

    def failed(self, timings: Timings) -> None:
        """A request was not answered."""
        self.failures += 1
        self.failed_ns += timings.total_ns

    def executed(self, rows: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """The model ran once."""
        self.executions += 1
        row = self.batches.get(rows)
        if row is None:
            row = self.batches[rows] = Executions()
        row.count += 1
        row.input_ns += input_ns
        row.infer_ns += infer_ns
        row.output_ns += output_ns

    def document(self, name: str, version: str, memory_bytes: int = 0) -> dict[str, Any]:
        """The row of this model in the answer of the statistics extension; memory if it is known."""
        answers = self.answers
        return {
            "name": name,
            "version": version,
            "last_inference": self.last_ns // 1_000_000,
            "inference_count": self.rows,
            "execution_count": self.executions,
            "inference_stats": {
                "success": _written(answers, self.total_ns),
                "fail": _written(self.failures, self.failed_ns),
                "queue": _written(answers, self.queue_ns),
                "compute_input": _written(answers, self.input_ns),
                "compute_infer": _written(answers, self.infer_ns),
                "compute_output": _written(answers, self.output_ns),
                "cache_hit": _written(self.hits, self.hit_ns),
                "cache_miss": _written(self.misses, self.miss_ns),
            },
            "response_stats": {},
            "batch_stats": [
                {
                    "batch_size": rows,
                    "compute_input": _written(row.count, row.input_ns),
                    "compute_infer": _written(row.count, row.infer_ns),
                    "compute_output": _written(row.count, row.output_ns),
                }
                for rows, row in sorted(self.batches.items())
            ],
            "memory_usage": [{"type": "CPU", "id": 0, "byte_size": memory_bytes}] if memory_bytes else [],
        }


def _written(count: int, ns: int) -> dict[str, int]:
    return {"count": count, "ns": ns}
