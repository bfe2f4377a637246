"""Weights of 24 bits: the values, and where each is."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b, parts_b
from sardonyx.kernels.short.choose import rounded
from sardonyx.kernels.short.pack import GAP_BYTES, pack_short, short_shape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.targets.x86_64 import isa

TARGETS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def numbers(panel: np.ndarray) -> np.ndarray:
    """The bits of a panel's floats."""
    upper = panel.reshape(-1, 3)
    return np.pad(upper, ((0, 0), (1, 0))).reshape(-1).view(np.uint32)


@TARGETS
@pytest.mark.parametrize("k", [1, 2, 33])
@pytest.mark.parametrize("behind", [0, 1, 20])
def test_panels_hold_rounded_numbers_in_the_order_of_others(target: isa.Target, k: int, behind: int) -> None:
    goal = Goal(target)
    shape = TileShape.of(goal, "f32")
    w = drawn(k, 3 * shape.columns + behind % shape.columns)
    packed = pack_short(w, goal)
    assert packed.shape == short_shape(w.shape, goal) == short_shape((1, *w.shape), goal)
    assert packed.ctypes.data % 64 == 0
    whole, data, at = rounded(pack_b(w, goal).view(np.uint32)), packed.view(np.uint8), 0
    for begin in range(0, len(whole), k * shape.columns):
        expected = whole[begin : begin + k * shape.columns]
        size = 3 * len(expected)
        assert np.array_equal(numbers(data[at : at + size]), expected)
        assert not data[at + size : at + size + GAP_BYTES].any()
        at += size + GAP_BYTES
    assert at == len(data)


@TARGETS
def test_parts_one_after_the_other_are_the_whole(target: isa.Target) -> None:
    goal = Goal(target)
    w = drawn(1, 3000, 7 * TileShape.of(goal, "f32").columns + 5)
    pieces = [pack_short(part, goal) for part in parts_b(w, goal)]
    assert len(pieces) > 1
    assert np.array_equal(np.concatenate(pieces).view(np.uint32), pack_short(w, goal).view(np.uint32))
