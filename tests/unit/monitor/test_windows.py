"""Which rows of the payload log a monitor compares: answered ones, of the version, no shadows, so many."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.payload import PayloadLog, truth_table
from sardonyx.monitor.store import Store
from sardonyx.monitor.windows import outcomes, window
from sardonyx.protocol.errors import Code
from tests.monitor.records import record

NOW = time.time()
SPAN = (NOW - 3600, NOW + 3600)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("log"))
    log = PayloadLog(Capture({"*": Collection()}), store, Metrics(process=False))
    for number in range(8):
        version = "2" if number >= 6 else "1"
        outputs = {"y": np.float32([[number * 10]])}
        log.capture.observe(record({"x": np.float32([[number]])}, outputs, id=f"{number}", version=version))
    log.capture.observe(record({"x": np.float32([[100]])}, code=Code.INTERNAL, id="bad", total_ns=9_000_000))
    log.capture.observe(record({"x": np.float32([[200]])}, id="shadow", shadow_of="0"))
    log.capture.observe(record({"x": np.float32([[300]])}, id="old", finished_s=NOW - 7200))
    log.flush()
    store.append("truth", "m", truth_table(["1", "3"], {"label": [5, 6]}))
    return store


def test_answered_rows_of_the_span_are_the_frame(store: Store) -> None:
    frame = window(store, "m", *SPAN)
    assert set(frame) == {"in.x", "out.y"}
    assert sorted(frame["in.x"].values) == [*range(8)]
    assert (frame["out.y"].values == frame["in.x"].values * 10).all()


def test_a_version_and_a_number_of_rows_may_be_asked_for(store: Store) -> None:
    assert sorted(window(store, "m", *SPAN, version="2")["in.x"].values) == [6, 7]
    first, again = (window(store, "m", *SPAN, max_rows=3)["in.x"].values for _ in range(2))
    assert len(first) == 3
    assert (first == again).all()


def test_a_kind_may_be_said(store: Store) -> None:
    assert window(store, "m", *SPAN, kinds={"in.x": "category"})["in.x"].kind == "category"


def test_with_the_truth_only_rows_whose_truth_is_known_count(store: Store) -> None:
    frame = window(store, "m", *SPAN, truth=True)
    assert dict(zip(frame["in.x"].values, frame["truth.label"].values, strict=True)) == {1: 5, 3: 6}


def test_of_a_model_that_nobody_asked_there_is_nothing(store: Store) -> None:
    assert window(store, "other", *SPAN) == {}
    statuses, total_ms = outcomes(store, "other", *SPAN)
    assert (statuses, total_ms.size) == ([], 0)


def test_outcomes_are_of_requests_failures_too(store: Store) -> None:
    statuses, total_ms = outcomes(store, "m", *SPAN)
    assert sorted(statuses) == ["internal", *["ok"] * 8]
    assert total_ms[statuses.index("internal")] == 9
    assert outcomes(store, "m", *SPAN, version="2")[0] == ["ok", "ok"]
