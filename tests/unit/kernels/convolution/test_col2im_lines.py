"""Lines of pixels that known taps are added up to, against numpy, also where they are not finite."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base.target import Target
from sardonyx.ir.algorithms import region
from sardonyx.kernels.convolution.col2im_lines import Taps
from tests.unit.kernels.convolution.test_col2im import TARGETS, compiled


def test_taps_that_are_not_known_or_too_many_have_no_lines() -> None:
    assert Taps.of((3, dims.symbol("n", 1)), (1, 1), (1, 1)) is None
    assert Taps.of((3, 99), (1, 1), (1, 1)) is None
    taps = Taps.of((3, 2), (1, 1), (1, 2))
    assert taps is not None
    assert taps.lines == 3
    assert taps.name != Taps((3, 2), (1, 2), (1, 1)).name


@TARGETS
def test_a_line_of_some_vectors(target: Target) -> None:
    _check(target, 2, 37, -1)


@pytest.mark.slow
@TARGETS
@pytest.mark.parametrize("stride", [1, 2, 3, 8])
@pytest.mark.parametrize(("positions", "low"), [(1, 0), (16, 1), (37, -2), (37, 5)])
def test_lines_of_any_length(target: Target, stride: int, positions: int, low: int) -> None:
    _check(target, stride, positions, low)


def _check(target: Target, stride: int, positions: int, low: int) -> None:
    attrs = {
        "kernel": (2, 3),
        "positions": (1, positions),
        "strides": (1, stride),
        "dilations": (1, 2),
        "low": (0, low),
        "out": (2, positions * stride + 4),
    }
    x = np.random.default_rng(1).integers(-4, 5, (1, 6, positions)).astype(np.float32)
    x[0, 1, 0], x[0, 5, -1] = np.inf, np.nan
    np.testing.assert_array_equal(compiled(x, attrs, target), region.col2im(x, **attrs))
