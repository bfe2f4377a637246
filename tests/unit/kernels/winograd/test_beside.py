"""Points whose last vector has few outputs: which convolutions have some, and where their weights lie."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.tiles.beside import pack_beside
from sardonyx.kernels.winograd.beside import together_for, together_of
from sardonyx.kernels.winograd.pack import pack_winograd_weights, winograd_shape
from sardonyx.kernels.winograd.scheme import FLOATS, SQUARES, WHOLE, Scheme, on_registers
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.winograd.test_choose import conv

GOAL, F4 = Goal(isa.V4), SQUARES[4]
(TILE,) = (tile for tile in isa.V4.matrices if tile.name == "s8x6")


def test_the_last_vector_has_a_few_outputs() -> None:
    found = {n: together_for(96, n, F4, GOAL) for n in (3, 8, 16, 20, 24, 25, 32, 33, 40, 72, 88)}
    assert found == {3: 4, 8: 2, 16: 1, 20: 4, 24: 2, 25: 1, 32: 1, 33: 16, 40: 2, 72: 2, 88: 1}
    assert together_for(8, 24, F4, GOAL) == 1, "adding lanes takes as long"


def test_only_vectors_of_a_block_of_floats_have_lanes_beside_each_other() -> None:
    assert together_for(96, 24, F4, Goal(isa.V3)) == 1
    assert {together_for(96, 24, scheme, GOAL) for scheme in (*WHOLE, *on_registers(TILE))} == {1}


def test_few_tiles_wait_for_sums_of_one_vector() -> None:
    height, batch = dims.symbol("h", 1), dims.symbol("n", 1)
    assert together_of(conv(96, 24, (10, 10)), F4, GOAL) == 1
    assert together_of(conv(96, 24, (10, 10), batch=2), F4, GOAL) == 2
    assert together_of(conv(96, 24, (12, 12)), F4, GOAL) == 2
    assert together_of(conv(96, 24, (height, 10), batch=batch), F4, GOAL) == 2, "only feeds tell how many"


@pytest.mark.parametrize("scheme", FLOATS, ids=lambda s: s.name)
@pytest.mark.parametrize("outputs", [8, 24, 40, 33])
def test_weights_of_the_last_vector_lie_behind_those_of_whole_ones(scheme: Scheme, outputs: int) -> None:
    w = np.random.default_rng(5).standard_normal((outputs, 19, *scheme.taps)).astype(np.float32)
    together, whole = together_for(19, outputs, scheme, GOAL), outputs // 16 * 16
    assert together > 1
    packed = pack_winograd_weights(w, scheme, GOAL, together)
    points = np.zeros((scheme.points, 19, outputs), np.float32)
    for output in range(outputs):
        alone = pack_winograd_weights(w[output : output + 1], scheme, GOAL)
        points[..., output] = alone.reshape(scheme.points, 19, 16)[..., 0]
    last = pack_beside(points[..., whole:], [19], together, 16)
    expected = np.concatenate([pack_b(points[..., :whole], GOAL), last], axis=-1)
    assert packed.shape == expected.shape == winograd_shape(w.shape, scheme, GOAL)
    np.testing.assert_array_max_ulp(packed, expected, maxulp=1)
