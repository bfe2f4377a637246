"""Which columns a model needs: by how much its loss grows when one is shuffled, many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas

from sardonyx.train import scores

Array = np.ndarray[Any, Any]
ROWS, REPEATS, CELLS = 2000, 3, 2_000_000
"""Rows at most, shuffles of each column, and cells that the model is given at once."""


def importance(
    model: Any, inputs: pandas.DataFrame, goal: Array, seed: int, classifies: bool
) -> list[tuple[str, float, float]]:
    """Each column with the mean growth of the held-out loss and its deviation, the most important first."""
    rows, truth = inputs.head(ROWS), goal[:ROWS]
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(rows)) for _ in range(REPEATS)]
    shuffled = [(str(name), order) for name in rows for order in orders]
    at_once = max(1, CELLS // rows.size)
    losses = [
        loss
        for at in range(0, len(shuffled), at_once)
        for loss in _losses(model, rows, truth, shuffled[at : at + at_once], classifies)
    ]
    (whole,) = _losses(model, rows, truth, [(str(rows.columns[0]), np.arange(len(rows)))], classifies)
    grown = np.array(losses).reshape(-1, REPEATS) - whole
    means, deviations = grown.mean(1), grown.std(1)
    order = np.argsort(-means, kind="stable")
    return [(str(rows.columns[at]), float(means[at]), float(deviations[at])) for at in order]


def _losses(
    model: Any, rows: pandas.DataFrame, truth: Array, shuffled: list[tuple[str, Array]], classifies: bool
) -> list[float]:
    """The loss on copies of the rows, each with one column in another order."""
    copies = {str(name): np.tile(rows[name].to_numpy(), len(shuffled)) for name in rows}
    for at, (name, order) in enumerate(shuffled):
        copies[name][at * len(rows) : (at + 1) * len(rows)] = rows[name].to_numpy()[order]
    table = pandas.DataFrame(copies)
    answers = model.predict_proba(table) if classifies else model.predict(table)
    parts = np.split(np.asarray(answers), len(shuffled))
    if classifies:
        return [-scores.log_chance(part, model.classes_, truth) for part in parts]
    return [float(np.sqrt(((part - truth) ** 2).mean())) for part in parts]
