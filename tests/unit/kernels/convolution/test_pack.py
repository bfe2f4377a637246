"""Weights of convolutions that are packed later have the shape that was told of them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.convolution import pack
from sardonyx.targets.x86_64 import isa

DIMS = [((48, 3, 3, 3), 1), ((40, 70, 1, 1), 1), ((96, 16, 5), 2)]


@pytest.mark.parametrize(("dims", "group"), DIMS)
@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_shapes_of_packed_weights(
    dims: tuple[int, ...], group: int, target: isa.Target, rng: np.random.Generator
) -> None:
    w, goal = rng.standard_normal(dims).astype(np.float32), Goal(target)
    assert pack.pack_conv_weights(w, group, goal).shape == pack.conv_shape(dims, group, goal)
    for tile in (tile for tile in isa.V4.matrices if tile.operand in ("f32", "fixed24")):
        packed = pack.pack_matrix_weights(w, group, tile, goal)
        assert packed.shape == pack.matrix_conv_shape(dims, group, tile, goal)
