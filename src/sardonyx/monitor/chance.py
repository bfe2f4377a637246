"""Whether a distance of two samples may be chance: what so few rows, or so many columns, alone make of it.

Decides how sure a run is that it alerts for a reason. Must not know what a measure computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sardonyx.monitor.distance import Measure, thinned
from sardonyx.monitor.frame import TEXT, VECTOR, Column

FALSE_ALARMS = 0.01
"""The share of runs that may alert by chance, all their distances taken together."""
_SPLITS = 512
_CLEAR = {24: 1e-12, 64: 1e-7}
"""After so many splits one that is so seldom is no chance: few splits do not tell their spread well."""
_MAX_SPLIT = 4000


def beyond_chance(
    measure: Measure, reference: Column, current: Column, value: float, distances: int = 1
) -> bool:
    """Whether a distance is more than random splits of the same rows give.

    It must be more than each of up to 512 splits gives, and so far from them all that one of `distances` of
    this kind comes that far in one run of a hundred; that is read from a gamma distribution of their mean
    and spread, since no number of splits that can be waited for shows it.
    """
    sides = [thinned(_vectors(side), _MAX_SPLIT) for side in (reference, current)]
    pool, count = np.concatenate(sides), len(sides[0])
    kind = VECTOR if reference.kind == TEXT else reference.kind
    random = np.random.default_rng(0)
    splits: list[float] = []
    for drawn in range(1, _SPLITS + 1):
        order = random.permutation(len(pool))
        halves = (Column(kind, pool[part]) for part in (order[:count], order[count:]))
        split = measure.compute(*halves)
        if split >= value:
            return False
        if not math.isnan(split):
            splits.append(split)
        if drawn in _CLEAR and _tail(splits, value) * distances < _CLEAR[drawn]:
            return True
    return _tail(splits, value) * distances < FALSE_ALARMS


def adjusted(p_values: Sequence[float]) -> list[float]:
    """P-values of many tests, each as if it stood alone (Holm's method); NaN stays.

    That any of them is below a threshold happens by chance as seldom as the threshold says, whatever the
    tests have to do with each other.
    """
    found = list(p_values)
    known = sorted((value, at) for at, value in enumerate(p_values) if not math.isnan(value))
    least = 0.0
    for before, (value, at) in enumerate(known):
        least = found[at] = max(least, min(1.0, value * (len(known) - before)))
    return found


def _vectors(column: Column) -> np.ndarray:
    return column.embedded() if column.kind == TEXT else column.present()


def _tail(splits: list[float], value: float) -> float:
    """How seldom chance gives that much."""
    from scipy.stats import gamma

    if not splits:
        return 0.0
    mean, spread = float(np.mean(splits)), float(np.std(splits, ddof=1))
    if spread == 0 or mean <= 0:
        return 0.0
    return float(gamma.sf(value, (mean / spread) ** 2, scale=spread**2 / mean))
