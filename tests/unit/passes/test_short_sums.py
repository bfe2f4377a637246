"""Weights in two parts: both together are the weights, and no sum of 16 bits overflows for the first."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile
from sardonyx.passes.short_sums import Parts, fits, parts, shortest, summands
from sardonyx.targets.x86_64 import isa

TILE, PAIRS = (Goal(isa.V3).tile(operand) for operand in ("i8", "i8pairs"))
TILES = pytest.mark.parametrize("tile", [TILE, PAIRS], ids=["i8", "i8pairs"])
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


@TILES
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 16), (130, 33), (2, 70, 20), (0, 5), (5, 0)])
def test_small_weights_are_kept(tile: RegisterTile, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    w = rng.integers(-32, 33, shape).astype(np.int8)
    found = parts(w, tile)
    assert found is not None
    assert found.kept is w
    assert found.rows.size == 0
    assert fits(w, tile)
    assert largest_sum(w, tile) <= np.iinfo(np.int16).max


@TILES
@pytest.mark.parametrize("shape", [(64, 16), (130, 33), (2, 70, 20)])
def test_what_is_too_large_is_left_to_few_rows(
    tile: RegisterTile, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    w = rng.integers(-24, 25, shape).astype(np.int8)
    chosen = sorted(rng.choice(shape[-2] // 2, 5, replace=False) * 2)
    for number, row in enumerate(chosen):
        w[..., row : row + 2, number] = (127, 2) if number % 2 else (-128, -1)
    found = parts(w, tile)
    assert found is not None
    assert np.array_equal(joined(found, shape), w)
    assert set(chosen) <= set(found.rows)
    assert found.rest.dtype == np.int16
    assert fits(found.kept, tile)
    assert not fits(w, tile)
    assert largest_sum(found.kept, tile) <= np.iinfo(np.int16).max < largest_sum(w, tile)


@TILES
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_weights_of_one_sign_fit_together(tile: RegisterTile, sign: int) -> None:
    w = np.zeros((16, 1), np.int8)
    w[[0, 1, 4, 5], 0] = sign * 126, sign * 2, -sign * 64, -sign * 64
    assert fits(w, tile)
    assert largest_sum(w, tile) == 255 * 128
    w[1] += sign
    assert not fits(w, tile)
    over = parts(w, tile)
    assert over is not None
    assert list(over.rows) == [0]
    assert over.rest.tolist() == [[sign]]
    assert np.array_equal(joined(over, w.shape), w)


def test_sums_of_two_serve_weights_that_are_too_large_for_sums_of_four(rng: np.random.Generator) -> None:
    w = rng.integers(-64, 65, (64, 48)).astype(np.int8)
    assert parts(w, TILE) is None
    found = shortest(w, Goal(isa.V3))
    assert found is not None
    assert found.kept is w
    assert not fits(w, TILE)
    assert fits(w, PAIRS)


def test_weights_of_which_many_are_large_have_no_parts(rng: np.random.Generator) -> None:
    assert shortest(rng.integers(-128, 128, (60, 96)).astype(np.int8), Goal(isa.V3)) is None
    w = np.zeros((64, 1000), np.int8)
    w[:, 0] = 127
    assert parts(w, TILE) is None


@TILES
def test_any_weights_are_a_sum_of_some_that_fit(tile: RegisterTile, rng: np.random.Generator) -> None:
    for shape in ((2, 40, 24), (1, 3, 5)):
        w = rng.integers(-128, 128, shape).astype(np.int8)
        w[0, :2, :2] = [[-128, 127], [-128, 127]]
        kept, others = summands(w, tile)
        assert kept.dtype == np.int8
        assert fits(kept, tile)
        assert np.array_equal(kept.astype(int) + sum(some.astype(int) for some in others), w)
        assert all(some.dtype == np.int8 and fits(some, PAIRS) for some in others)


def test_weights_that_fit_have_nothing_to_add() -> None:
    w = np.full((1, 64, 8), 32, np.int8)
    kept, others = summands(w, TILE)
    assert kept.tolist() == w.tolist()
    assert not others


def test_a_tile_without_short_sums_takes_them_all(rng: np.random.Generator) -> None:
    w = rng.integers(-128, 128, (64, 16)).astype(np.int8)
    found = parts(w, WHOLE)
    assert found is not None
    assert found.kept is w
    assert found.rows.size == 0
