"""Finished requests are counted where they belong, each once, and no client can invent a series."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.monitor.requests import UNKNOWN, Requests, rows_of
from sardonyx.monitor.table import EXECUTIONS, FAST, HISTOGRAMS, OUTCOMES, ROWS
from sardonyx.protocol.errors import Code
from sardonyx.protocol.messages import InferResponse
from tests.monitor.records import record, tensor


def made() -> Requests:
    return Requests(OUTCOMES, ROWS, EXECUTIONS, FAST, HISTOGRAMS)


def samples(requests: Requests, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by the values of its labels."""
    return {
        tuple(s.labels.values()): s.value
        for family in requests.collect()
        for s in family.samples
        if s.name == name
    }


def outcomes(requests: Requests) -> dict[tuple[str, ...], float]:
    return samples(requests, "sardonyx_requests_total")


def test_each_request_is_counted_once_however_often_it_is_asked_for() -> None:
    requests = made()
    for number in range(1100):
        requests.observe(record(total_ns=1_000_000))
        if number % 300 == 0:
            outcomes(requests)
    for _ in range(2):
        assert outcomes(requests) == {("m", "1", "", "http", "ok"): 1100}
        assert samples(requests, "sardonyx_request_duration_seconds_count") == {("m", "1", ""): 1100}
        (total,) = samples(requests, "sardonyx_request_duration_seconds_sum").values()
        assert abs(total - 1.1) < 1e-9


def test_buckets_are_cumulative_and_bounds_belong_to_them() -> None:
    requests = made()
    for total_ns in (50_000, 50_001, 60_000_000_000):
        requests.observe(record(total_ns=total_ns))
    buckets = {
        labels[-1]: value
        for labels, value in samples(requests, "sardonyx_request_duration_seconds_bucket").items()
    }
    assert (buckets["5e-05"], buckets["0.0001"], buckets["30.0"], buckets["+Inf"]) == (1, 2, 2, 3)


def test_rows_and_runs() -> None:
    requests = made()
    for rows in (1, 3):
        requests.observe(record({}, {"y": np.zeros((rows, 2), np.float32)}, batch_rows=4))
    assert samples(requests, "sardonyx_rows_total") == {("m", "1", ""): 4}
    assert samples(requests, "sardonyx_executions_total") == {("m", "1", ""): 1}


def test_names_that_nobody_has_proven() -> None:
    requests = made()
    for code in (Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.INVALID_ARGUMENT):
        requests.observe(record(model="invented", code=code))
    assert {key[:3] for key in outcomes(requests)} == {(UNKNOWN, "", "")}
    requests.observe(record(code=Code.INTERNAL))
    requests.observe(record())
    requests.observe(record(code=Code.INVALID_ARGUMENT))
    requests.observe(record(version="", code=Code.DEADLINE))
    found: Any = outcomes(requests)
    for outcome in ("ok", "internal", "invalid_argument", "deadline"):
        assert found["m", "1", "", "http", outcome] == 1


def test_rows_of_a_response() -> None:
    def response(*shapes: tuple[int, ...]) -> InferResponse:
        return InferResponse("m", "1", [tensor(f"y{n}", np.zeros(s)) for n, s in enumerate(shapes)])

    assert [rows_of(response(*s)) for s in ([(3, 2), (3,)], [(3,), (2,)], [()], [], [(0, 2)])] == [
        3,
        1,
        1,
        1,
        1,
    ]
