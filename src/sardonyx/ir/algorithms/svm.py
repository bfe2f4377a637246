"""Probabilities of classes from probabilities of pairs, an iteration of libsvm, as a numpy algorithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]

MIN_ROUNDS, NEARNESS = 100, 0.005
"""The least limit of rounds, and how near to its optimum the iteration ends, times the number of classes."""


def pairwise_coupling(pairwise: Array) -> Array:
    """Probabilities [N, k] from those that i wins against j, [N, k * (k - 1) / 2] (Wu, Lin and Weng 2004)."""
    classes = (1 + math.isqrt(1 + 8 * pairwise.shape[1])) // 2
    return np.stack([_couple(row.astype(np.float64), classes) for row in pairwise]).astype(pairwise.dtype)


def _couple(row: Array, k: int) -> Array:
    r = np.zeros((k, k))
    upper = np.triu_indices(k, 1)
    r[upper] = row
    r.T[upper] = 1 - row
    q = -r.T * r
    np.fill_diagonal(q, (r**2).sum(axis=0))
    p = np.full(k, 1 / k)
    for _ in range(max(MIN_ROUNDS, k)):
        qp = q @ p
        pqp = p @ qp
        if np.abs(qp - pqp).max() < NEARNESS / k:
            break
        for t in range(k):
            step = (pqp - qp[t]) / q[t, t]
            p[t] += step
            pqp = (pqp + step * (step * q[t, t] + 2 * qp[t])) / (1 + step) ** 2
            qp = (qp + step * q[t]) / (1 + step)
            p /= 1 + step
    return p


register("pairwise_coupling", "opaque", pairwise_coupling)
