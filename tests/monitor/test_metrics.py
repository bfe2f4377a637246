"""Metrics count what happened, under bounded labels, and the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from sardonyx.monitor.dashboard import dashboard
from sardonyx.monitor.live import Live, Second, slot_of, total
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.table import TABLE
from sardonyx.protocol.errors import Code
from tests.monitor.records import record

MODEL = {"model": "m", "version": "1", "deployment": ""}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_request_is_counted_in_every_series() -> None:
    metrics = Metrics(process=False)
    for _ in range(4):
        metrics.observe(record(outputs={"y": np.zeros((2, 3), np.float32)}, batch_rows=8, total_ns=4_000_000))
    assert value(metrics, "sardonyx_requests_total", transport="http", outcome="ok", **MODEL) == 4
    assert value(metrics, "sardonyx_rows_total", **MODEL) == 8
    assert value(metrics, "sardonyx_executions_total", **MODEL) == 1
    assert value(metrics, "sardonyx_request_duration_seconds_sum", **MODEL) == pytest.approx(0.016)
    assert value(metrics, "sardonyx_infer_duration_seconds_bucket", le="0.001", **MODEL) == 4
    assert value(metrics, "sardonyx_batch_rows_bucket", le="4.0", **MODEL) == 0
    assert value(metrics, "sardonyx_batch_rows_bucket", le="8.0", **MODEL) == 4


def test_many_requests_are_folded_to_the_same_numbers() -> None:
    metrics = Metrics(process=False)
    durations = np.random.default_rng(0).integers(10_000, 40_000_000, 2000)
    for duration in durations.tolist():
        metrics.observe(record(total_ns=duration))
    assert value(metrics, "sardonyx_request_duration_seconds_count", **MODEL) == 2000
    for bound in (0.0001, 0.01, 0.025):
        found = value(metrics, "sardonyx_request_duration_seconds_bucket", le=str(bound), **MODEL)
        assert found == (durations * 1e-9 <= bound).sum()


def test_scrapes_are_valid_in_both_formats() -> None:
    metrics = Metrics(triton=True)
    metrics.observe(record(model='odd "name"\n', deployment="blue"))
    client = TestClient(metrics.application())
    plain = list(text_string_to_metric_families(client.get("/metrics").text))
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert "openmetrics" in answer.headers["content-type"]
    assert {f.name for f in parse_openmetrics(answer.text)} >= {f.name for f in plain if "nv_" in f.name}


def test_names_invented_by_clients_make_no_series() -> None:
    metrics = Metrics(process=False)
    for i in range(50):
        metrics.observe(record(model=f"guess{i}", code=Code.NOT_FOUND))
    labels = {"model": "unknown", "version": "", "deployment": ""}
    assert value(metrics, "sardonyx_requests_total", transport="http", outcome="not_found", **labels) == 50
    assert b"guess" not in generate_latest(metrics.registry)


def test_failures_of_a_known_model_keep_its_name() -> None:
    metrics = Metrics(process=False)
    metrics.observe(record())
    metrics.observe(record(code=Code.INVALID_ARGUMENT, version=""))
    metrics.observe(record(code=Code.UNAVAILABLE))
    for outcome in ("invalid_argument", "unavailable"):
        assert value(metrics, "sardonyx_requests_total", transport="http", outcome=outcome, **MODEL) == 1


def test_triton_names_are_sums_of_ours() -> None:
    metrics = Metrics(triton=True, process=False)
    metrics.observe(
        record(outputs={"y": np.zeros((2, 3))}, batch_rows=4, total_ns=4_000_000, deployment="blue")
    )
    metrics.observe(record(outputs={"y": np.zeros((2, 3))}, batch_rows=4, total_ns=4_000_000))
    metrics.observe(record(code=Code.UNAVAILABLE))
    metrics["sardonyx_queue_requests"].labels("m", "1").set(7)
    of_model = {"model": "m", "version": "1"}
    assert value(metrics, "nv_inference_request_success", **of_model) == 2
    assert value(metrics, "nv_inference_request_failure", reason="REJECTED", **of_model) == 1
    assert value(metrics, "nv_inference_count", **of_model) == 4
    assert value(metrics, "nv_inference_exec_count", **of_model) == 1
    assert value(metrics, "nv_inference_pending_request_count", **of_model) == 7
    assert value(metrics, "nv_inference_queue_duration_us", **of_model) == pytest.approx(2000)
    assert value(metrics, "nv_inference_request_duration_us", **of_model) == pytest.approx(8000)


def test_dashboard_asks_for_series_that_exist_and_shows_every_metric() -> None:
    text = json.dumps(dashboard())
    asked = set(re.findall(r"sardonyx_\w+", text))
    known = {row.series for row in TABLE}
    assert asked <= known
    assert known <= asked, "a metric without a panel"


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own


def test_quantiles_are_within_a_slot_of_the_truth() -> None:
    rng = np.random.default_rng(3)
    durations = rng.lognormal(13, 1.2, 4000)
    second = Second(0)
    for duration in durations:
        slot = slot_of(duration)
        second.slots[slot] = second.slots.get(slot, 0) + 1
    for share in (0.5, 0.95, 0.99):
        exact = np.quantile(durations, share) * 1e-9
        assert second.quantile_s(share) == pytest.approx(exact, rel=2**0.25 - 1)
    assert np.isnan(Second(0).quantile_s(0.5))


def test_live_goes_on_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    monkeypatch.setattr("time.time", lambda: 1010.5)
    for at in (5000.1, 5001.2, 1009.1, 1008.9, 1009.3):
        live.observe(record(finished_s=at))
    assert [s.requests for s in live.seconds(3, "m")] == [0, 0, 3]


def test_live_sums_over_what_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    monkeypatch.setattr("time.time", lambda: 1000.5)
    for version, at in (("1", 998.2), ("1", 999.9), ("2", 999.1)):
        live.observe(record(version=version, finished_s=at))
    live.observe(record(version="", finished_s=999.2, code=Code.INTERNAL))
    live.observe(record(version="2", finished_s=1000.2))
    seconds = live.seconds(5, "m")
    assert [s.at for s in seconds] == [995, 996, 997, 998, 999]
    assert [s.requests for s in seconds] == [0, 0, 0, 1, 2]
    assert total(seconds).failures == 1
    assert total(live.seconds(5, "m", "1")).requests == 2
    assert total(live.seconds(5, "other")).requests == 0
