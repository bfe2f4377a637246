"""Triton's names count the same requests as ours: outcomes, rows, runs, microseconds, and who waits."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Gauge

from sardonyx.monitor.requests import Requests
from sardonyx.monitor.table import EXECUTIONS, FAST, HISTOGRAMS, OUTCOMES, ROWS
from sardonyx.monitor.triton import TritonNames
from sardonyx.protocol.errors import Code
from tests.monitor.records import record

MODEL = {"model": "m", "version": "1"}


@pytest.fixture
def requests() -> Requests:
    return Requests(OUTCOMES, ROWS, EXECUTIONS, FAST, HISTOGRAMS)


@pytest.fixture
def registry(requests: Requests) -> CollectorRegistry:
    waiting = Gauge("sardonyx_queue_requests", "waiting", ("model", "version", "deployment"), registry=None)
    waiting.labels("m", "1", "blue").set(2)
    waiting.labels("m", "1", "green").set(3)
    registry = CollectorRegistry()
    registry.register(TritonNames(requests, waiting))
    return registry


def test_deployments_of_a_version_are_one_sum(requests: Requests, registry: CollectorRegistry) -> None:
    for deployment in ("blue", "green", "green"):
        outputs = {"y": np.zeros((4, 2), np.float32)}
        requests.observe(record(outputs=outputs, deployment=deployment, total_ns=8_000, batch_rows=8))
    expected = {
        "nv_inference_request_success": 3,
        "nv_inference_count": 12,
        "nv_inference_exec_count": 1.5,
        "nv_inference_pending_request_count": 5,
        "nv_inference_request_duration_us": 24,
        "nv_inference_queue_duration_us": 6,
        "nv_inference_compute_infer_duration_us": 6,
    }
    for name, value in expected.items():
        assert registry.get_sample_value(name, MODEL) == pytest.approx(value), name


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (Code.UNAVAILABLE, "REJECTED"),
        (Code.DEADLINE, "REJECTED"),
        (Code.CANCELLED, "CANCELED"),
        (Code.INTERNAL, "BACKEND"),
        (Code.INVALID_ARGUMENT, "OTHER"),
    ],
)
def test_failures_have_the_reasons_of_triton(
    requests: Requests, registry: CollectorRegistry, code: Code, reason: str
) -> None:
    requests.observe(record())
    requests.observe(record(code=code))
    assert registry.get_sample_value("nv_inference_request_failure", {**MODEL, "reason": reason}) == 1
    assert registry.get_sample_value("nv_inference_request_success", MODEL) == 1


def test_registering_needs_no_scrape(requests: Requests) -> None:
    assert TritonNames(requests, Gauge("sardonyx_w", "w", registry=None)).describe() == []
