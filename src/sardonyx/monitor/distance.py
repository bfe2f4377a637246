"""How far two samples of a column are apart: the measures of drift, one row each.

Decides bins, null handling and default thresholds. Must not know what a column means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.monitor.frame import CATEGORY, NUMBER, TEXT, VECTOR, Column
from sardonyx.monitor.needs import need

BINS = 10
_SMALLEST = 1e-4
_MAX_ROWS = 10_000
_FOLDS = 4

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: `azure` is its name in Azure ML; drift is above the threshold, or below it if `p_value`."""

    name: str
    kinds: tuple[str, ...]
    threshold: float
    compute: Callable[[Column, Column], float]
    azure: str = ""
    p_value: bool = False

    def breached(self, value: float, threshold: float) -> bool:
        """Whether a value is drift; NaN is not."""
        return value < threshold if self.p_value else value > threshold


def population_stability(reference: Column, current: Column) -> float:
    """PSI over the deciles of the reference, or over its categories.

    An empty bin counts as half a row, or as the usual 1e-4 of many rows.
    """
    sides = zip(shares_of(reference, current), (reference, current), strict=True)
    p, q = (np.maximum(shares, max(_SMALLEST, 0.5 / max(1, len(side.present())))) for shares, side in sides)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(reference: Column, current: Column) -> float:
    """The Jensen-Shannon distance to base 2, from 0 to 1."""
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(*shares_of(reference, current), base=2))


def wasserstein(reference: Column, current: Column) -> float:
    """The Wasserstein distance in standard deviations of the reference."""
    from scipy.stats import wasserstein_distance

    p, q = (values[np.isfinite(values)] for values in (reference.present(), current.present()))
    if not len(p) or not len(q):
        return math.nan
    distance, spread = float(wasserstein_distance(p, q)), float(p.std())
    if spread == 0:
        return 0.0 if distance == 0 else math.inf
    return distance / spread


def kolmogorov_smirnov(reference: Column, current: Column) -> float:
    """The p-value of the two-sample test; 1 for so few rows that nothing can be said."""
    from scipy.stats import ks_2samp

    p, q = thinned(reference.present()), thinned(current.present())
    if len(p) * len(q) < len(p) + len(q):
        return 1.0
    return float(ks_2samp(p, q, method="asymp").pvalue)


def chi_square(reference: Column, current: Column) -> float:
    """The p-value of Pearson's test that both have the same categories in the same shares."""
    from scipy.stats import chi2_contingency

    counts = np.array(_counts(reference, current))
    counts = counts[:, counts.sum(0) > 0]
    return 1.0 if counts.shape[1] < 2 else float(chi2_contingency(counts).pvalue)


def centroid(reference: Column, current: Column) -> float:
    """The distance of the means of the vectors, in standard deviations, as root mean square over features."""
    p, q = reference.embedded(), current.embedded()
    spread = p.std(0)
    distance = np.abs(p.mean(0) - q.mean(0))
    varied = spread > 1e-9
    scaled = np.where(varied, distance / np.where(varied, spread, 1), (distance > 1e-6) * 1.0)
    return float(np.sqrt((scaled.astype(np.float64) ** 2).mean())) if len(scaled) else 0.0


def domain_classifier(reference: Column, current: Column) -> float:
    """How well a ridge classifier tells the two apart on rows it has not seen: area under the curve."""
    p, q = (thinned(column.embedded(), 2000).astype(np.float64) for column in (reference, current))
    x = np.concatenate([p, q])
    y = np.repeat([-1.0, 1.0], [len(p), len(q)])
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-9)
    fold = np.random.default_rng(0).permutation(len(x)) % _FOLDS
    scores = np.zeros(len(x))
    for k in range(_FOLDS):
        seen, unseen = fold != k, fold == k
        weight = np.where(y[seen] > 0, 0.5 / max(1, (y[seen] > 0).sum()), 0.5 / max(1, (y[seen] < 0).sum()))
        gram = (x[seen] * weight[:, None]).T @ x[seen] + 0.1 * np.eye(x.shape[1])
        scores[unseen] = x[unseen] @ np.linalg.solve(gram, x[seen].T @ (weight * y[seen]))
    return _area_under_curve(scores, y > 0)


MEASURES: tuple[Measure, ...] = (
    Measure("psi", (NUMBER, CATEGORY), 0.2, population_stability, "PopulationStabilityIndex"),
    Measure("jensen_shannon", (NUMBER, CATEGORY), 0.1, jensen_shannon, "JensenShannonDistance"),
    Measure("wasserstein", (NUMBER,), 0.1, wasserstein, "NormalizedWassersteinDistance"),
    Measure(
        "kolmogorov_smirnov", (NUMBER,), 0.02, kolmogorov_smirnov, "TwoSampleKolmogorovSmirnovTest", True
    ),
    Measure("chi_square", (CATEGORY,), 0.02, chi_square, "PearsonsChiSquaredTest", True),
    Measure("centroid", (TEXT, VECTOR), 0.5, centroid),
    Measure("domain_classifier", (TEXT, VECTOR), 0.75, domain_classifier),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
BY_AZURE = {measure.azure: measure for measure in MEASURES if measure.azure}


def measure_named(name: str) -> Measure:
    """The measure of a name, ours or Azure ML's. ValueError lists them."""
    need("scipy", "a measure of drift")
    measure = BY_NAME.get(name) or BY_AZURE.get(name)
    if measure is None:
        raise ValueError(f"{name!r} is not a measure of drift; there are {', '.join(BY_NAME)}")
    return measure


def bin_edges(reference: Array) -> Array:
    """The inner borders between up to ten bins that hold equal shares of the reference."""
    finite = reference[np.isfinite(reference)]
    if not len(finite):
        return np.array([0.0])
    distinct = np.unique(finite)
    if len(distinct) <= BINS:
        return (distinct[:-1] + distinct[1:]) / 2 if len(distinct) > 1 else _around(distinct[0])
    return np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1]))


def shares_of(reference: Column, current: Column) -> tuple[Array, Array]:
    """The shares of both in the bins or categories of the reference; unseen categories are the last."""
    p, q = _counts(reference, current)
    return p / max(1, p.sum()), q / max(1, q.sum())


def categories_of(reference: Column, current: Column) -> list[str]:
    """The categories of the reference, most frequent first, and "other" for what only the current has."""
    names, counts = np.unique(reference.present().astype(str), return_counts=True)
    known = [str(name) for name in names[np.argsort(-counts, kind="stable")]]
    unseen = set(map(str, current.present())) - set(known)
    return [*known, "other"] if unseen else known


def _counts(reference: Column, current: Column) -> tuple[Array, Array]:
    if reference.kind == NUMBER:
        edges = bin_edges(reference.values)
        p, q = (
            np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
            for values in (reference.present(), current.present())
        )
        return p, q
    place = {name: i for i, name in enumerate(categories_of(reference, current))}
    p, q = (
        np.bincount([place.get(str(v), len(place) - 1) for v in column.present()], minlength=len(place))
        for column in (reference, current)
    )
    return p, q


def _around(value: float) -> Array:
    step = max(abs(value) * 1e-6, 1e-9)
    return np.array([value - step, value + step])


def thinned(rows: Array, most: int = _MAX_ROWS) -> Array:
    """At most so many of the rows, the same each time."""
    if len(rows) <= most:
        return rows
    return rows[np.random.default_rng(0).choice(len(rows), most, replace=False)]


def _area_under_curve(scores: Array, positive: Array) -> float:
    from scipy.stats import rankdata

    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return 0.5
    return float((rankdata(scores)[positive].sum() - count * (count + 1) / 2) / (count * others))
