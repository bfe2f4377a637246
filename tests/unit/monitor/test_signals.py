"""What monitors compute, by hand: distances, shares of bad values, scores, and pictures of both sides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sardonyx.monitor import signals
from sardonyx.monitor.frame import CATEGORY, NUMBER, TEXT, Column, column_of
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.monitors import Kind, NewMonitor, Value


def monitor(kind: Kind, **fields: Any) -> NewMonitor:
    return NewMonitor(name="watch", model="m", kind=kind, **fields)


def by_metric(values: list[Value]) -> dict[str, float | None]:
    return {value.metric: value.value for value in values}


def breached(values: list[Value]) -> set[str]:
    return {value.metric for value in values if value.breached}


@pytest.mark.parametrize("name", ["null_rate", "NullValueRate"])
def test_a_metric_may_be_named_as_azure_does(name: str) -> None:
    signals.check(monitor("data_quality", metrics=[name], thresholds={name: 0.5}))


@pytest.mark.parametrize("field", [{"metrics": ["psi"]}, {"thresholds": {"psi": 1.0}}])
def test_a_metric_of_another_kind_is_refused_with_those_there_are(field: dict[str, Any]) -> None:
    with pytest.raises(
        ServeError, match="'psi' is not a metric of service; there are error_rate, latency_p95_ms"
    ):
        signals.check(monitor("service", **field))


def test_drift_looks_at_its_own_side_and_at_measures_that_fit() -> None:
    rng = np.random.default_rng(0)
    near, far = column_of(rng.normal(0, 1, 400)), column_of(rng.normal(3, 1, 400))
    reference = {"in.x": near, "out.y": near, "in.gone": near}
    current = {"in.x": far, "out.y": near, "in.new": near}
    inputs = signals.drift(monitor("data_drift"), reference, current)
    assert {value.column for value in inputs} == {"in.x"}
    assert breached(inputs) == {value.metric for value in inputs} >= {"jensen_shannon", "psi"}
    outputs = signals.drift(monitor("prediction_drift", metrics=["psi"]), reference, current)
    assert [(value.column, value.metric, value.breached) for value in outputs] == [("out.y", "psi", False)]


def test_a_distance_of_few_rows_is_no_drift_by_itself() -> None:
    rng = np.random.default_rng(0)
    p, q = column_of(rng.normal(0, 1, 12)), column_of(rng.normal(0, 1, 12))
    (value,) = signals.drift(monitor("data_drift", metrics=["psi"]), {"in.x": p}, {"in.x": q})
    assert value.value is not None and value.threshold is not None
    assert value.value > value.threshold
    assert not value.breached


def test_a_threshold_of_azure_counts_for_our_name() -> None:
    column = {"in.x": column_of(np.array([1.0, np.nan]))}
    watch = monitor("data_quality", metrics=["null_rate"], thresholds={"NullValueRate": 0.5})
    (value,) = signals.quality(watch, column, column)
    assert (value.value, value.threshold, value.breached) == (0.5, 0.5, False)


def test_bad_values_are_shares_of_rows() -> None:
    reference = {
        "in.x": column_of(np.array([0.0, 10.0])),
        "in.c": Column(CATEGORY, np.array(["a", "b"], object)),
    }
    current = {
        "in.x": Column(CATEGORY, np.array(["5", "11", "-1", "what", None], object)),
        "in.c": Column(CATEGORY, np.array(["a", "z", "", "b", "b"], object)),
    }
    found = {
        (v.column, v.metric): v.value for v in signals.quality(monitor("data_quality"), reference, current)
    }
    assert found == {
        ("in.x", "null_rate"): 0.2,
        ("in.x", "type_error_rate"): 0.2,
        ("in.x", "out_of_bounds_rate"): 0.4,
        ("in.c", "null_rate"): 0.2,
        ("in.c", "type_error_rate"): 0.0,
        ("in.c", "out_of_bounds_rate"): 0.2,
    }


def test_classes_are_scored_and_nulls_left_out() -> None:
    predicted = column_of(np.array([1.0, 1.0, 0.0, 0.0, np.nan]))
    truth = column_of(np.array([1.0, 0.0, 0.0, 0.0, 1.0]))
    found = signals.performance(monitor("performance", prediction="out.y"), predicted, truth)
    precision, recall = (0.5 + 1) / 2, (1 + 2 / 3) / 2
    f1 = (2 * 0.5 / 1.5 + 2 * (2 / 3) / (5 / 3)) / 2
    assert by_metric(found) == {
        "accuracy": 0.75,
        "precision": precision,
        "recall": pytest.approx(recall),
        "f1": pytest.approx(f1),
    }
    assert breached(found) == {"accuracy"}
    assert {value.column for value in found} == {"out.y"}


def test_a_label_is_the_same_as_a_number_and_as_text() -> None:
    predicted, truth = column_of(np.array([1.0, 2.0])), Column(CATEGORY, np.array(["1", "2.0"], object))
    found = by_metric(signals.performance(monitor("performance"), predicted, truth))
    assert found["accuracy"] == 1


def test_numbers_of_many_values_are_a_regression() -> None:
    truth = np.linspace(0, 1, 50)
    found = by_metric(signals.performance(monitor("performance"), column_of(truth + 0.1), column_of(truth)))
    spread = ((truth - truth.mean()) ** 2).sum()
    assert found == {
        "mae": pytest.approx(0.1),
        "rmse": pytest.approx(0.1),
        "r2": pytest.approx(1 - 50 * 0.01 / spread),
    }


def test_without_a_truth_scores_are_no_numbers_and_no_alarm() -> None:
    nothing = column_of(np.array([np.nan, np.nan]))
    found = signals.performance(monitor("performance"), nothing, column_of(np.array([1.0, 2.0])))
    assert set(by_metric(found).values()) == {None}
    assert not breached(found)


def test_a_service_counts_what_it_failed_at_itself() -> None:
    statuses = ["ok", "ok", "internal", "invalid_argument", "not_found", "quota", "cancelled", "deadline"]
    total_ms = np.array([1.0, 3.0, *[1000.0] * 6])
    found = signals.service(monitor("service", thresholds={"latency_p95_ms": 2.0}), statuses, total_ms)
    assert by_metric(found) == {
        "error_rate": 2 / 8,
        "latency_p95_ms": pytest.approx(2.9),
        "refused_rate": 1 / 8,
    }
    assert breached(found) == {"error_rate", "latency_p95_ms", "refused_rate"}
    quiet = signals.service(monitor("service"), [], np.array([]))
    assert by_metric(quiet) == {"error_rate": 0, "latency_p95_ms": None, "refused_rate": 0}
    assert not breached(quiet)
    assert quiet[1].threshold is None


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["in.a[0]", "in.a[1]", "in.b", "out.y", "out.p@summary"]),
        (["in.a"], ["in.a[0]", "in.a[1]"]),
        (["in.b", "out.*"], ["in.b", "out.y", "out.p@summary"]),
        (["out.p"], ["out.p@summary"]),
        (["a"], []),
    ],
)
def test_columns_are_chosen_by_name_pattern_or_list(patterns: list[str], names: list[str]) -> None:
    known = ("in.a[0]", "in.a[1]", "in.b", "out.y", "out.p@summary")
    frame = {name: column_of(np.zeros(2)) for name in known}
    assert signals.chosen(monitor("data_drift", columns=patterns), frame, frame, "") == names


def test_a_picture_of_few_numbers_has_a_bar_for_each() -> None:
    found = signals.plot(
        column_of(np.array([0.0, 1.0, 1.0, 1.0])), column_of(np.array([0.0, np.nan, 2.0, 2.0]))
    )
    assert found == {
        "labels": ["0", "1", "2"],
        "reference": [0.25, 0.75, 0],
        "current": [round(1 / 3, 6), 0, round(2 / 3, 6)],
    }


def test_a_picture_of_many_numbers_counts_each_row_once_far_ones_at_the_ends() -> None:
    values = np.linspace(0, 1, 1000)
    found = signals.plot(column_of(values), column_of(np.array([*values, 1e9])))
    assert found is not None
    assert len(found["edges"]) == len(found["reference"]) + 1 == 25
    for side in ("reference", "current"):
        assert math.isclose(sum(found[side]), 1, abs_tol=1e-4)


def test_a_number_on_one_side_and_text_on_the_other_are_compared_as_categories() -> None:
    found = signals.plot(column_of(np.array([1.0, 2.0])), Column(CATEGORY, np.array(["1", "x"], object)))
    assert found == {"labels": ["1", "2", "other"], "reference": [0.5, 0.5, 0], "current": [0.5, 0, 0.5]}


@pytest.mark.parametrize("kind", [NUMBER, CATEGORY])
def test_nothing_is_drawn_of_nothing(kind: str) -> None:
    empty = Column(kind, np.full(2, np.nan) if kind == NUMBER else np.array([None, ""], object))
    full = column_of(np.array([1.0])) if kind == NUMBER else Column(CATEGORY, np.array(["a"], object))
    assert signals.plot(empty, full) is None
    assert signals.plot(full, empty) is None


def test_texts_have_no_picture() -> None:
    texts = Column(TEXT, np.array(["a long sentence", "another"], object))
    assert signals.plot(texts, texts) is None
