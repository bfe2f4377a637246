"""Weights of convolutions in the order of products."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.convolution.by_tap import by_tap


@pytest.mark.parametrize("dims", [(48, 16, 9), (2, 130, 5, 3), (1, 1, 1), (64, 0, 1), (0, 4, 2)])
@pytest.mark.parametrize("more", [0, 3])
def test_each_weight_has_its_place(dims: tuple[int, ...], more: int, rng: np.random.Generator) -> None:
    *batch, outputs, inputs, taps = dims
    w = rng.standard_normal(dims).astype(np.float32)
    found = by_tap(w, inputs + more, outputs + more)
    assert found.shape == (*batch, taps, inputs + more, outputs + more)
    assert found.flags.c_contiguous
    assert np.array_equal(found[..., :inputs, :outputs], w.swapaxes(-1, -3))
    assert not found[..., inputs:, :].any()
    assert not found[..., outputs:].any()
