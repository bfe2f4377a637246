"""Convolutions of bytes on matrix registers: what pixels read is gathered; which ones that serves."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value, const, make
from sardonyx.kernels.convolution.matrix import chosen, define_gather, gathered_bytes
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made

(TILE,) = (row for row in isa.V4.matrices if row.operand == "i8")
GOAL = Goal(isa.with_features(isa.V4, TILE.features))


@pytest.mark.parametrize(("blocks", "last"), [(1, 4), (2, 4), (3, 1), (5, 3)])
def test_taps_lie_side_by_side(blocks: int, last: int, rng: np.random.Generator) -> None:
    made = Made(lambda module: define_gather(module, "gather_u8s8", 16))
    pixels, wide = 5, 9
    x = guarded(rng.integers(0, 256, (blocks, wide, 16)).astype(np.uint8))
    entries = [(b, tap) for b in range(blocks) for tap in (0, 2)]
    steps = [last if b == blocks - 1 else 4 for b, _ in entries]
    table = np.array([[b * wide * 16 + tap * 16, n, 0] for (b, tap), n in zip(entries, steps, strict=True)])
    pitch = 4 * sum(steps) + 128
    to = guarded(np.full((pixels, pitch), 7, np.uint8))
    whole = sum(n == 4 for n in steps)
    made.call(made.names, to, x, guarded(table.astype(np.int64)), len(entries), whole, pixels, 16, pitch)
    for pixel in range(pixels):
        parts = [x[b, pixel + tap, : 4 * n] for (b, tap), n in zip(entries, steps, strict=True)]
        assert np.array_equal(to[pixel, : 4 * sum(steps)], np.concatenate(parts))
    assert (to[:, 4 * sum(steps) + 16 :] == 7).all()


def convolution(outputs: int, per: int, kernel: int, side: int, group: int = 1) -> Value:
    x = make("input", (), {"name": "x"}, dt.U8, (1, -(-per // 16), side, side, 16))
    w = const(np.ones((outputs, per // group, kernel, kernel), np.int8))
    attrs = {"strides": (1, 1), "dilations": (1, 1), "group": group, "channels": outputs, "block": 16}
    shape = (1, -(-outputs // 16), side - kernel + 1, side - kernel + 1, 16)
    return make("conv_blocked", (x, w), attrs, dt.I32, shape)


def test_few_pixels_or_channels_are_left_to_vectors() -> None:
    assert chosen(convolution(32, 64, 3, 9), GOAL) is TILE
    assert chosen(convolution(17, 40, 1, 9), GOAL) is TILE
    assert chosen(convolution(16, 64, 3, 9), GOAL) is None
    assert chosen(convolution(32, 32, 1, 9), GOAL) is None
    assert chosen(convolution(8, 64, 3, 9), GOAL) is None
    assert chosen(convolution(32, 16, 1, 9), GOAL) is None
    assert chosen(convolution(32, 64, 1, 2), GOAL) is None
    assert chosen(convolution(32, 64, 3, 9, group=2), GOAL) is None
    assert chosen(convolution(32, 64, 3, 9), Goal(isa.with_features(isa.V4, ["avx512vnni"]))) is None


def test_what_one_tile_reads_fits() -> None:
    large = convolution(16, 4096, 3, 9)
    assert gathered_bytes(large, TILE, GOAL) >= 32 * (4096 * 9 + 64)
    assert gathered_bytes(convolution(32, 64, 3, 9), TILE, GOAL) == GOAL.target.l2_bytes // 2
