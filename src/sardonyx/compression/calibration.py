"""Ranges of activations, seen on samples: all that occurred, all but the rarest, or by least divergence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx

from sardonyx.compression.runs import Feeds, opened_with
from sardonyx.compression.scope import ENDLESS
from sardonyx.compression.static import Range
from sardonyx.errors import SardonyxError

Method = Literal["minmax", "percentile", "entropy"]
Counts = npt.NDArray[np.float64]
BINS = 2048
LEVELS = 128
PERCENTILE = 99.99


class CalibrationError(SardonyxError):
    """No range follows from the samples: there are none, or a value is not finite."""


def ranges(
    model: onnx.ModelProto,
    names: Sequence[str],
    samples: Sequence[Feeds],
    method: Method = "minmax",
    percentile: float = PERCENTILE,
) -> dict[str, Range]:
    """The smallest and largest number of each tensor that is worth a point of its own.

    Args:
        model: the float model.
        names: tensors of its main graph.
        samples: feeds.
        method: `minmax` takes all numbers; `percentile` leaves out the largest at both ends so that this part
            of all is inside; `entropy` clips where the clipped and rounded distribution of magnitudes
            diverges least from the true one (Kullback and Leibler), as TensorRT does.
        percentile: of the method of that name, in percent.

    Returns:
        The ranges; a tensor without numbers, or with some that stand for infinity, has none.

    Raises:
        CalibrationError: no samples, none with numbers, or a tensor that holds NaN or infinity.
    """
    if not samples:
        raise CalibrationError("ranges need samples: give inputs as the model will see them")
    if not 0 < percentile <= 100:
        raise CalibrationError(f"a percentile of {percentile:g}: it is above 0 and at most 100")
    if not names:
        return {}
    session = opened_with(model, names)
    seen = _limits(_results(session, names, samples))
    if not seen:
        raise CalibrationError("the samples hold no numbers: give inputs as the model will see them")
    limits = {name: limit for name, limit in seen.items() if max(-limit[0], limit[1]) < ENDLESS}
    if method == "minmax":
        return limits
    counts = {name: np.zeros(BINS) for name in limits}
    for name, values in _results(session, list(limits), samples):
        # Zero is a point in every range: it is always exact, however many of a ReLU's results it is.
        counted = values[values != 0] if method == "entropy" else values
        counts[name] += np.histogram(counted, BINS, _widened(limits[name]))[0]
    narrow: dict[Method, Callable[[Counts, Range], Range]] = {
        "percentile": lambda counted, limit: _inside(counted, limit, percentile),
        "entropy": _least_divergence,
    }
    return {name: narrow[method](counts[name], _widened(limits[name])) for name in limits}


def _results(session: Any, names: Sequence[str], samples: Sequence[Feeds]) -> Iterable[tuple[str, Any]]:
    for feeds in samples:
        yield from zip(names, session.run(list(names), dict(feeds)), strict=True)


def _limits(results: Iterable[tuple[str, Any]]) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for name, values in results:
        if not values.size:
            continue
        low, high = float(values.min(initial=0)), float(values.max(initial=0))
        if not np.isfinite(low) or not np.isfinite(high):
            raise CalibrationError(f"the tensor {name} holds {high if np.isfinite(low) else low} on a sample")
        before = found.get(name, (low, high))
        found[name] = min(low, before[0]), max(high, before[1])
    return found


def _widened(limit: Range) -> Range:
    low, high = limit
    return (low, high) if high > low else (low - 1e-3, high + 1e-3)


def _inside(counts: Counts, limit: Range, percentile: float) -> Range:
    edges = np.linspace(*limit, BINS + 1)
    share = np.cumsum(counts) / counts.sum()
    outside = (1 - percentile / 100) / 2
    first = int(np.searchsorted(share, outside, "right"))
    last = int(np.searchsorted(share, 1 - outside, "left"))
    return float(edges[first]), float(edges[min(last, BINS - 1) + 1])


def _least_divergence(counts: Counts, limit: Range) -> Range:
    """Clip both ends at the magnitude where the loss is least; nothing is clipped below `LEVELS` bins."""
    if not counts.any():
        return limit
    edges = np.linspace(*limit, BINS + 1)
    far = max(abs(limit[0]), abs(limit[1]))
    centres = np.abs((edges[:-1] + edges[1:]) / 2)
    places = np.minimum((centres / far * BINS).astype(int), BINS - 1)
    magnitudes: Counts = np.bincount(places, weights=counts, minlength=BINS).astype(np.float64)
    candidates = range(LEVELS, BINS + 1, LEVELS // 8)
    best = min(candidates, key=lambda kept: _divergence(magnitudes, kept))
    bound = far * best / BINS
    return max(limit[0], -bound), min(limit[1], bound)


def _divergence(counts: Counts, kept: int) -> float:
    """How far the first `kept` bins, merged to `LEVELS` and spread again, are from the clipped whole."""
    true = counts[:kept].copy()
    true[-1] += counts[kept:].sum()
    level = np.arange(kept) * LEVELS // kept
    held = counts[:kept] > 0
    total = np.bincount(level, weights=counts[:kept], minlength=LEVELS)
    share = np.bincount(level, weights=held, minlength=LEVELS)
    spread = np.where(held, (total / np.maximum(share, 1))[level], 0)
    if not spread.sum() or not true.sum():
        return float("inf")
    p, q = true / true.sum(), spread / spread.sum()
    inside = p > 0
    return float(np.sum(p[inside] * np.log(p[inside] / np.maximum(q[inside], 1e-12))))
