"""Chance makes distances of few rows: a run of many columns takes few for drift, and finds what moves."""

from __future__ import annotations

import math

import numpy as np

from sardonyx.monitor import signals
from sardonyx.monitor.chance import adjusted, beyond_chance
from sardonyx.monitor.distance import BY_NAME
from sardonyx.monitor.frame import NUMBER, TEXT, Column, column_of
from sardonyx.protocol.monitors import NewMonitor, Value
from tests.runnable import examples

EACH = examples(50, 200)


def moved(values: list[Value]) -> set[str]:
    return {value.column for value in values if value.breached}


def test_many_columns_of_few_rows_do_not_alert_by_chance_and_one_that_moves_is_found() -> None:
    rng = np.random.default_rng(0)

    def drawn(rows: int, shift: float = 0.0) -> dict[str, Column]:
        numbers = {f"in.n{i}": column_of(rng.normal(0, 1, rows)) for i in range(20)}
        kinds = {f"in.k{i}": column_of(rng.choice(list("abcdef"), rows).tolist()) for i in range(10)}
        return numbers | kinds | {"in.moved": column_of(rng.normal(shift, 1, rows))}

    watch = NewMonitor(name="watch", model="m", kind="data_drift")
    reference = drawn(1000)
    alarms = [moved(signals.drift(watch, reference, drawn(60))) for _ in range(6)]
    assert sum(map(bool, alarms)) <= 1, "by chance each of them beyond its threshold"
    for rows, shift in ((60, 2.0), (400, 0.8)):
        found = signals.drift(watch, reference, drawn(rows, shift))
        assert moved(found) == {"in.moved"}


def test_p_values_of_many_columns_do_not_alert_by_chance_and_columns_that_move_are_found() -> None:
    rng = np.random.default_rng(3)

    def drawn(rows: int, shift: float = 0.0) -> dict[str, Column]:
        numbers = {f"in.n{i}": column_of(rng.normal(0, 1, rows)) for i in range(EACH)}
        kinds = {f"in.k{i}": column_of(rng.choice(list("abcdef"), rows).tolist()) for i in range(EACH)}
        other = rng.choice(list("abc" if shift else "abcdef"), rows)
        moving = {
            "in.n_moved": column_of(rng.normal(shift, 1, rows)),
            "in.k_moved": column_of(other.tolist()),
        }
        return numbers | kinds | moving

    metrics = ["kolmogorov_smirnov", "chi_square"]
    watch = NewMonitor(name="watch", model="m", kind="data_drift", metrics=metrics)
    reference = drawn(1000)
    alarms = [moved(signals.drift(watch, reference, drawn(100))) for _ in range(8)]
    assert sum(map(bool, alarms)) <= 1, "two of a hundred p-values are below 0.02 in each run"
    found = signals.drift(watch, reference, drawn(100, 1.0))
    assert moved(found) == {"in.n_moved", "in.k_moved"}
    assert all((value.value < value.threshold) == value.breached for value in found)
    one = NewMonitor(name="one", model="m", kind="data_drift", metrics=metrics, columns=["in.n1"])
    current = drawn(100)
    (alone,) = signals.drift(one, reference, current)
    raw = BY_NAME["kolmogorov_smirnov"].compute(reference["in.n1"], current["in.n1"])
    assert alone.value == raw, "one column is not adjusted"


def test_p_values_are_adjusted_as_holm_does() -> None:
    found = adjusted([0.01, 0.04, math.nan, 0.03, 0.005])
    assert found[:2] + found[3:] == [0.03, 0.06, 0.06, 0.02] and math.isnan(found[2])
    assert adjusted([0.3]) == [0.3] and adjusted([0.7, 0.6]) == [1.0, 1.0] and adjusted([]) == []


def test_the_more_distances_are_looked_at_the_farther_one_must_be() -> None:
    rng = np.random.default_rng(1)
    measure = BY_NAME["jensen_shannon"]
    near, far = column_of(rng.normal(0, 1, 300)), column_of(rng.normal(0.45, 1, 100))
    value = measure.compute(near, far)
    assert beyond_chance(measure, near, far, value)
    assert not beyond_chance(measure, near, far, value, distances=10**9)
    assert beyond_chance(measure, near, far, math.inf, distances=10**9)


def test_rows_without_a_value_say_nothing_of_chance() -> None:
    """As in a baseline of which a part has outputs: the halves have as many values as the sides had."""
    rng = np.random.default_rng(5)
    measure = BY_NAME["psi"]
    few, many = rng.normal(0, 1, 40), rng.normal(0.3, 1, 1000)
    value = measure.compute(column_of(few), column_of(many))
    gaps = column_of(np.concatenate([few, np.full(960, np.nan)]))
    assert measure.compute(gaps, column_of(many)) == value
    assert not beyond_chance(measure, column_of(few), column_of(many), value)
    assert not beyond_chance(measure, gaps, column_of(many), value)


def test_texts_are_split_too_and_what_is_constant_differs_for_certain() -> None:
    rng = np.random.default_rng(2)
    texts = [
        Column(TEXT, np.array([" ".join(rng.choice(words, 6)) for _ in range(80)], object))
        for words in (["order", "parcel", "late"], ["bonjour", "merci", "colis"])
    ]
    measure = BY_NAME["centroid"]
    assert beyond_chance(measure, *texts, measure.compute(*texts))
    assert not beyond_chance(measure, texts[0], texts[0], 1e-9)
    ones = Column(NUMBER, np.ones(60))
    assert beyond_chance(BY_NAME["psi"], ones, ones, 0.1), "no split of these shows any distance"
