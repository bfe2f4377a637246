"""What each kind of monitor computes from two frames, or from one and the truth.

Decides metrics, default thresholds and what a plot needs. Pure: must not know where rows come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.monitor.chance import adjusted, beyond_chance
from sardonyx.monitor.columns import SUMMARY
from sardonyx.monitor.distance import (
    BY_AZURE,
    BY_NAME,
    bin_edges,
    categories_of,
    measure_named,
    shares_of,
)
from sardonyx.monitor.frame import CATEGORY, NUMBER, TEXT, Column, Frame
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.monitors import NewMonitor, Value

QUALITY = {"null_rate": 0.05, "type_error_rate": 0.01, "out_of_bounds_rate": 0.05}
SERVICE = {"error_rate": 0.01, "latency_p95_ms": math.inf, "refused_rate": 0.05}
CLASSIFICATION = {"accuracy": 0.8, "precision": 0.7, "recall": 0.7, "f1": 0.7}
REGRESSION = {"mae": math.inf, "rmse": math.inf, "r2": 0.5}
SCORES = frozenset({*CLASSIFICATION, "r2"})
DRIFT = ("jensen_shannon", "psi", "centroid", "domain_classifier")
AZURE = {
    "NullValueRate": "null_rate",
    "DataTypeErrorRate": "type_error_rate",
    "OutOfBoundsRate": "out_of_bounds_rate",
    "Accuracy": "accuracy",
    "Precision": "precision",
    "Recall": "recall",
    "MeanAbsoluteError": "mae",
    "RootMeanSquaredError": "rmse",
}
_MAX_CATEGORIES = 12

Array = npt.NDArray[Any]


def check(monitor: NewMonitor) -> None:
    """Nothing if the metrics and thresholds are known to the kind; INVALID_ARGUMENT lists what there is."""
    known = known_metrics(monitor.kind)
    for name in (*monitor.metrics, *monitor.thresholds):
        if name not in known and canonical(name) not in known:
            raise invalid(f"{name!r} is not a metric of {monitor.kind}; there are {', '.join(known)}")


def known_metrics(kind: str) -> dict[str, float]:
    """The metrics of a kind of monitor and their default thresholds."""
    return {
        "data_quality": QUALITY,
        "performance": CLASSIFICATION | REGRESSION,
        "service": SERVICE,
    }.get(kind) or {name: measure.threshold for name, measure in BY_NAME.items()}


def canonical(name: str) -> str:
    """Our name of a metric that Azure ML names otherwise."""
    return AZURE.get(name) or (BY_AZURE[name].name if name in BY_AZURE else name)


def drift(monitor: NewMonitor, reference: Frame, current: Frame) -> list[Value]:
    """The distance of every shared column, by every measure that fits its kind.

    Drift is a distance beyond its threshold that none of so many columns of so few rows has by chance.
    P-values are adjusted for how many there are, so that a threshold counts for all columns together.
    """
    names = [canonical(name) for name in monitor.metrics] or DRIFT
    prefix = "out." if monitor.kind == "prediction_drift" else "in."
    sides = {
        name: _alike(reference[name], current[name]) for name in chosen(monitor, reference, current, prefix)
    }
    measured = [
        (name, measure, measure.compute(p, q))
        for name, (p, q) in sides.items()
        for measure in map(measure_named, names)
        if p.kind in measure.kinds and len(p.present()) and len(q.present())
    ]
    tested = iter(adjusted([value for _, measure, value in measured if measure.p_value]))
    distances = sum(not measure.p_value for _, measure, _ in measured)
    found = []
    for name, measure, raw in measured:
        value = next(tested) if measure.p_value else raw
        threshold = _threshold(monitor, measure.name, measure.threshold)
        breached = measure.breached(value, threshold)
        if breached and not measure.p_value:
            breached = beyond_chance(measure, *sides[name], value, distances)
        found.append(_value(measure.name, name, value, threshold, breached))
    return found


def quality(monitor: NewMonitor, reference: Frame, current: Frame) -> list[Value]:
    """Nulls, values of another type and values that the reference never had, as shares of rows."""
    names = [canonical(name) for name in monitor.metrics] or list(QUALITY)
    found = []
    for name in chosen(monitor, reference, current, ""):
        p, q = reference[name], current[name]
        rows = max(1, len(q))
        typed, wrong = _typed(p, q)
        shares = {
            "null_rate": max(0.0, typed.nulls().sum() - wrong) / rows,
            "type_error_rate": wrong / rows,
            "out_of_bounds_rate": _outside(p, typed) / rows,
        }
        for metric in names:
            threshold = _threshold(monitor, metric, QUALITY[metric])
            found.append(_value(metric, name, shares[metric], threshold, shares[metric] > threshold))
    return found


def performance(monitor: NewMonitor, predicted: Column, truth: Column) -> list[Value]:
    """Scores or errors of predictions against what proved true; the truth's kind decides which."""
    kept = ~(predicted.nulls() | truth.nulls())
    numeric = truth.kind == NUMBER and predicted.kind == NUMBER and not _few(truth)
    scores = _regression if numeric else _classification
    known = REGRESSION if numeric else CLASSIFICATION
    values = scores(predicted.values[kept], truth.values[kept])
    names = [canonical(name) for name in monitor.metrics] or list(known)
    found = []
    for metric in (name for name in names if name in values):
        value, threshold = values[metric], _threshold(monitor, metric, known[metric])
        breached = value < threshold if metric in SCORES else value > threshold
        found.append(_value(metric, monitor.prediction, value, threshold, breached))
    return found


def service(monitor: NewMonitor, statuses: Sequence[str], total_ms: Array) -> list[Value]:
    """Failures of the server, refused requests, and the latency of those that succeeded."""
    count = max(1, len(statuses))
    refused = sum(s in ("invalid_argument", "unsupported", "too_large") for s in statuses)
    ended = sum(s in ("ok", "cancelled", "not_found", "quota") for s in statuses)
    answered = total_ms[[s == "ok" for s in statuses]]
    values = {
        "error_rate": (len(statuses) - refused - ended) / count,
        "latency_p95_ms": float(np.quantile(answered, 0.95)) if len(answered) else math.nan,
        "refused_rate": refused / count,
    }
    found = []
    for metric in [canonical(name) for name in monitor.metrics] or list(SERVICE):
        threshold = _threshold(monitor, metric, SERVICE[metric])
        found.append(_value(metric, "", values[metric], threshold, values[metric] > threshold))
    return found


def plot(reference: Column, current: Column) -> dict[str, Any] | None:
    """The shares of both sides by bin or category, for a picture; None for vectors and texts."""
    p, q = _alike(reference, current)
    if p.kind not in (NUMBER, CATEGORY) or not len(p.present()) or not len(q.present()):
        return None
    if p.kind == NUMBER:
        return _histogram(p, q)
    left, right = shares_of(p, q)
    names = categories_of(p, q)[:_MAX_CATEGORIES]
    return {"labels": names, "reference": _list(left[: len(names)]), "current": _list(right[: len(names)])}


def chosen(monitor: NewMonitor, reference: Frame, current: Frame, prefix: str) -> list[str]:
    """The shared columns that the monitor looks at, in their order."""
    shared = [name for name in reference if name in current and name.startswith(prefix)]
    if not monitor.columns:
        return shared
    return [
        n
        for n in shared
        if any(n == p or fnmatchcase(n, p) or n.startswith((p + "[", p + SUMMARY)) for p in monitor.columns)
    ]


def _histogram(p: Column, q: Column) -> dict[str, Any]:
    both = np.concatenate([p.present(), q.present()])
    both = both[np.isfinite(both)]
    low, high = np.quantile(both, (0.005, 0.995)) if len(both) else (0.0, 1.0)
    if len(bin_edges(p.values)) < 9 and len(np.unique(both)) <= _MAX_CATEGORIES:
        points = np.unique(both)
        counts = [[(side.present() == point).mean() for point in points] for side in (p, q)]
        return {
            "labels": [f"{x:g}" for x in points],
            "reference": _list(counts[0]),
            "current": _list(counts[1]),
        }
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, 25)
    shares = [
        np.histogram(np.clip(s.present(), low, high), edges)[0] / max(1, len(s.present())) for s in (p, q)
    ]
    return {"edges": _list(edges), "reference": _list(shares[0]), "current": _list(shares[1])}


def _alike(p: Column, q: Column) -> tuple[Column, Column]:
    """Both sides in one kind: what is text on one side is compared as categories or text."""
    if p.kind == q.kind:
        return p, q
    if TEXT in (p.kind, q.kind) and NUMBER not in (p.kind, q.kind):
        return Column(p.kind, p.values), Column(p.kind, q.values)
    return _as_category(p), _as_category(q)


def _as_category(column: Column) -> Column:
    if column.kind != NUMBER:
        return Column(CATEGORY, column.values)
    texts = [None if math.isnan(v) else f"{v:g}" for v in column.values]
    return Column(CATEGORY, np.array(texts, object))


def _typed(p: Column, q: Column) -> tuple[Column, int]:
    """The current column in the reference's kind, and how many of its values are of another type."""
    if p.kind != NUMBER or q.kind == NUMBER:
        return q, q.raw
    numbers, wrong = np.full(len(q), np.nan), 0
    for i, value in enumerate(q.values):
        try:
            numbers[i] = math.nan if value in (None, "") else float(value)
        except (TypeError, ValueError):
            wrong += 1
    return Column(NUMBER, numbers, wrong), wrong


def _outside(p: Column, q: Column) -> int:
    seen, now = p.present(), q.present()
    if not len(seen) or p.kind not in (NUMBER, CATEGORY) or q.kind != p.kind:
        return 0
    if p.kind == NUMBER:
        return int(((now < seen.min()) | (now > seen.max())).sum())
    known = set(map(str, seen))
    return sum(str(value) not in known for value in now)


def _few(column: Column) -> bool:
    present = column.present()
    return bool((present == np.round(present)).all() and len(np.unique(present)) <= 20)


def _classification(predicted: Array, truth: Array) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 as means over the classes that occur."""
    p, t = (np.array([_label(v) for v in side], object) for side in (predicted, truth))
    if not len(t):
        return dict.fromkeys(CLASSIFICATION, math.nan)
    rows: list[tuple[float, float, float]] = []
    for name in sorted(set(t.tolist()) | set(p.tolist())):
        hit, said, was = ((p == name) & (t == name)).sum(), (p == name).sum(), (t == name).sum()
        precision, recall = hit / said if said else 0.0, hit / was if was else 0.0
        both = precision + recall
        rows.append((precision, recall, 2 * precision * recall / both if both else 0.0))
    precision, recall, f1 = (float(x) for x in np.mean(rows, axis=0))
    return {"accuracy": float((p == t).mean()), "precision": precision, "recall": recall, "f1": f1}


def _regression(predicted: Array, truth: Array) -> dict[str, float]:
    if not len(truth):
        return dict.fromkeys(REGRESSION, math.nan)
    error = predicted - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    squared = float((error**2).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": math.sqrt(squared / len(error)),
        "r2": 1 - squared / spread if spread else math.nan,
    }


def _label(value: Any) -> str:
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def _threshold(monitor: NewMonitor, metric: str, default: float) -> float:
    given: Callable[[str], float | None] = monitor.thresholds.get
    azure = next((name for name in monitor.thresholds if canonical(name) == metric), metric)
    found = given(metric)
    return default if (found := found if found is not None else given(azure)) is None else found


def _value(metric: str, column: str, value: float, threshold: float, breached: bool) -> Value:
    return Value(
        metric=metric,
        column=column,
        value=float(value) if math.isfinite(value) else None,
        threshold=threshold if math.isfinite(threshold) else None,
        breached=bool(breached),
    )


def _list(values: Any) -> list[float]:
    return [round(float(v), 6) for v in values]
