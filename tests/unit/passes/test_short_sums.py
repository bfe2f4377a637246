"""Weights in two parts: both together are the weights, and no sum of 16 bits overflows for the first."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile
from sardonyx.passes.short_sums import Parts, parts
from sardonyx.targets.x86_64 import isa

TILE = Goal(isa.V3).tile("i8")
WHOLE = Goal(isa.with_features(isa.V4, ["avx512vnni"])).tile("i8")


def largest_sum(w: np.ndarray, tile: RegisterTile) -> int:
    """The largest magnitude of a sum of 16 bits of products with bytes, as the tile adds them."""
    together, depth = tile.instruction.steps, tile.k_step
    most = 0
    for column in np.moveaxis(w, -2, -1).reshape(-1, w.shape[-2]) if w.size else ():
        for step in range(0, len(column), depth * together):
            for lane in range(0, depth, 2):
                at = [step + n * depth + lane + one for n in range(together) for one in range(2)]
                terms = [int(column[k]) for k in at if k < len(column)]
                positive, negative = (sum(max(0, sign * term) for term in terms) for sign in (1, -1))
                most = max(most, 255 * positive, 255 * negative)
    return most


def joined(found: Parts, shape: tuple[int, ...]) -> np.ndarray:
    whole = found.kept.astype(np.int64)
    whole[..., found.rows, :] += found.rest
    assert whole.shape == shape
    return whole


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 16), (130, 33), (2, 70, 20), (0, 5), (5, 0)])
def test_small_weights_are_kept(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    w = rng.integers(-32, 33, shape).astype(np.int8)
    found = parts(w, TILE)
    assert found is not None
    assert found.kept is w
    assert found.rows.size == 0
    assert largest_sum(w, TILE) <= np.iinfo(np.int16).max


@pytest.mark.parametrize("shape", [(64, 16), (130, 33), (2, 70, 20)])
def test_what_is_too_large_is_left_to_few_rows(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    w = rng.integers(-24, 25, shape).astype(np.int8)
    chosen = sorted(rng.choice(shape[-2], 5, replace=False))
    for number, row in enumerate(chosen):
        w[..., row, number] = 127 if number % 2 else -128
    found = parts(w, TILE)
    assert found is not None
    assert np.array_equal(joined(found, shape), w)
    assert set(found.rows) <= set(chosen)
    assert found.rest.dtype == np.int16
    assert largest_sum(found.kept, TILE) <= np.iinfo(np.int16).max < largest_sum(w, TILE)


def test_the_largest_of_both_signs_fit_together() -> None:
    w = np.zeros((16, 2), np.int8)
    w[[0, 1], 0], w[[8, 12], 1] = (-64, -64), (127, 1)
    found = parts(w, TILE)
    assert found is not None
    assert found.rows.size == 0
    w[4, 0] = -1
    over = parts(w, TILE)
    assert over is not None
    assert over.rows.size == 1
    assert np.array_equal(joined(over, w.shape), w)


def test_weights_of_which_many_are_large_have_no_parts(rng: np.random.Generator) -> None:
    assert parts(rng.integers(-128, 128, (64, 16)).astype(np.int8), TILE) is None
    w = np.zeros((64, 1000), np.int8)
    w[:, 0] = 127
    assert parts(w, TILE) is None


def test_a_tile_without_short_sums_takes_them_all(rng: np.random.Generator) -> None:
    w = rng.integers(-128, 128, (64, 16)).astype(np.int8)
    found = parts(w, WHOLE)
    assert found is not None
    assert found.kept is w
    assert found.rows.size == 0
