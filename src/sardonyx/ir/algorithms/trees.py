"""Decision trees as a numpy algorithm: samples walk down every tree, the weights of leaves are combined."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]

COMPARISONS = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)
"""What a node's mode asks of feature and threshold, by number; LEAF comes after them."""
LEAF = len(COMPARISONS)


def _leaves(
    x: Array,
    feature: Array,
    mode: Array,
    threshold: Array,
    missing: Array,
    yes: Array,
    no: Array,
    root: Array,
) -> Array:
    """The leaf that every sample reaches in every tree, [N, T]."""
    node = np.broadcast_to(root.astype(np.int64), (x.shape[0], root.shape[0])).copy()
    rows = np.arange(x.shape[0])[:, None]
    while True:
        inner = mode[node] < LEAF
        if not inner.any():
            return node
        value, limit, kind = x[rows, feature[node]], threshold[node], mode[node]
        answer = missing[node] & np.isnan(value)
        for number, compare in enumerate(COMPARISONS):
            answer |= (kind == number) & compare(value, limit)
        node = np.where(inner, np.where(answer, yes[node], no[node]), node)


def trees(
    x: Array,
    feature: Array,
    mode: Array,
    threshold: Array,
    missing: Array,
    yes: Array,
    no: Array,
    root: Array,
    target: Array,
    weight: Array,
    *,
    targets: int,
    combine: str,
) -> tuple[Array, Array]:
    """x [N, F] to totals [N, targets] and whether any leaf reached names the target.

    Node arrays: `feature`, `mode` (an index into COMPARISONS, or LEAF), `threshold`, `missing` (whether NaN
    means yes), `yes` and `no` (the next node; for a leaf the first of its entries and their number).
    `root` [T].

    Entries: `target`, `weight`. `combine` is sum, min or max; targets that no leaf names are 0.
    """
    leaf = _leaves(x, feature, mode, threshold, missing, yes, no, root)
    start, count = yes[leaf], no[leaf]
    shape = (x.shape[0], targets)
    total = np.full(shape, {"sum": 0.0, "min": np.inf, "max": -np.inf}[combine])
    touched = np.zeros(shape, bool)
    rows = np.broadcast_to(np.arange(x.shape[0])[:, None], leaf.shape)
    update = {"sum": np.add, "min": np.minimum, "max": np.maximum}[combine]
    for entry in range(int(count.max(initial=0))):
        live = entry < count
        at = start[live] + entry
        place = (rows[live], target[at])
        update.at(total, place, weight[at].astype(np.float64))
        touched[place] = True
    return np.where(touched, total, 0).astype(weight.dtype), touched


register("trees", "opaque", trees, constant=range(1, 10), dense=True)
