"""Probabilities of pairs that come from probabilities of classes give these back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sardonyx.ir.algorithms.svm import pairwise_coupling


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_consistent_pairs(classes: int) -> None:
    p = np.random.default_rng(classes).dirichlet(np.ones(classes) * 3, 4)
    pairs = np.stack([p[:, i] / (p[:, i] + p[:, j]) for i, j in itertools.combinations(range(classes), 2)], 1)
    got = pairwise_coupling(pairs)
    np.testing.assert_allclose(got, p, atol=0.005)
    np.testing.assert_allclose(got.sum(1), 1, rtol=1e-12)
    assert pairwise_coupling(pairs.astype(np.float32)).dtype == np.float32
