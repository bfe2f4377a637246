"""Kernels and what approximates them say as ONNX what they say in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
from sklearn.kernel_ridge import KernelRidge

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_kernels

ROWS = np.abs(np.random.default_rng(0).normal(size=(50, 3)))
KERNELS: list[dict[str, Any]] = [
    {},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 0.5},
    {"kernel": "poly", "degree": 2, "coef0": 0.5},
    {"kernel": "sigmoid", "gamma": 0.1},
    {"kernel": "cosine"},
]
ZERO = np.concatenate([ROWS, np.zeros((1, 3))])


@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_kernels(options: dict[str, Any]) -> None:
    assert from_sklearn(KernelRidge(**options).fit(ROWS, ROWS @ np.ones((3, 2))), sample=ZERO).parity.holds
    model = Nystroem(n_components=9, random_state=0, **options).fit(ROWS)
    assert from_sklearn(model, sample=ZERO).parity.holds


@pytest.mark.parametrize("model", [RBFSampler(), SkewedChi2Sampler(), EllipticEnvelope()], ids=str)
def test_others(model: Any) -> None:
    model.set_params(random_state=0).fit(ROWS)
    assert from_sklearn(model, sample=np.concatenate([ROWS, 5 * ROWS])).parity.holds


def test_other_kernels_are_named() -> None:
    with pytest.raises(ConvertError, match="the kernel 'laplacian' has no ONNX form; of dense"):
        from_sklearn(KernelRidge(kernel="laplacian").fit(ROWS, ROWS[:, 0]), sample=ROWS)


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_kernels.registered():
        assert known[KernelRidge] == "SardonyxKernelRidge"
    assert known == before
