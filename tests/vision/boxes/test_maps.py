"""Maps are read cell by cell; changed pictures carry their boxes with them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sardonyx.vision.boxes.cells import GRID
from sardonyx.vision.boxes.maps import Maps, changed, examples, picked, spread
from sardonyx.vision.boxes.network import NETWORKS

RANDOM = np.random.default_rng(0)
LEVELS = tuple(RANDOM.normal(0, 1, (GRID >> at, GRID >> at, 2 + at)) for at in range(3))


def test_cells_are_read_from_all_levels() -> None:
    rows = picked(LEVELS, np.arange(GRID * GRID))
    assert rows.shape == (GRID * GRID, 9)
    np.testing.assert_array_equal(rows[GRID * 5 + 7, 2:5], LEVELS[1][2, 3])
    np.testing.assert_array_equal(rows[GRID * 5 + 7, 5:], LEVELS[2][1, 1])
    weights = RANDOM.normal(0, 1, (9, 4))
    np.testing.assert_allclose(spread(LEVELS, weights), rows @ weights, atol=1e-12)


def test_examples_are_middles_of_boxes_and_some_of_the_rest() -> None:
    corners, kinds = np.array([[0.2, 0.2, 0.6, 0.6]]), np.array([1])
    rows, numbers, sides = examples(LEVELS, corners, kinds, 2, RANDOM)
    assert len(rows) == len(numbers) == len(sides)
    assert np.unique(numbers).tolist() == [1, 2] and (numbers == 2).sum() == 80
    assert np.exp(sides[numbers == 1]).sum(1) == pytest.approx(0.8)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_stay_on_their_things(seed: int) -> None:
    pixels = np.full((90, 120, 3), 255, np.uint8)
    pixels[30:60, 40:80] = 0
    corners = np.array([[1 / 3, 1 / 3, 2 / 3, 2 / 3]])
    view, moved, kinds = changed(pixels, corners, np.array([4]), np.random.default_rng(seed))
    assert view.shape == pixels.shape and kinds.tolist() == [4]
    rows, columns = np.nonzero(view[:, :, 0] < 60)
    seen = [columns.min() / 120, rows.min() / 90, (columns.max() + 1) / 120, (rows.max() + 1) / 90]
    np.testing.assert_allclose(moved[0], seen, atol=0.03)


def test_what_is_cut_off_is_no_box_any_more() -> None:
    corners = np.array([[0.0, 0.0, 0.02, 0.02], [0.98, 0.98, 1.0, 1.0], [0.4, 0.4, 0.6, 0.6]])
    pixels = np.zeros((50, 50, 3), np.uint8)
    views = [changed(pixels, corners, np.arange(3), np.random.default_rng(seed)) for seed in range(20)]
    assert {len(kinds) for _, _, kinds in views} > {3} and all(2 in kinds for _, _, kinds in views)


@pytest.mark.slow
def test_maps_of_a_picture_stand_where_it_is() -> None:
    picture = Image.new("RGB", (300, 200), "white")
    picture.paste((200, 30, 30), (225, 0, 300, 50))
    levels = Maps(NETWORKS["efficientnet_lite0"]).of_pixels(np.asarray(picture))
    assert [level.shape[:2] for level in levels] == [(40, 40), (20, 20), (10, 10)]
    plain = Maps(NETWORKS["efficientnet_lite0"]).of_pixels(np.full((200, 300, 3), 255, np.uint8))
    apart = np.linalg.norm(levels[0] - plain[0], axis=2)
    assert apart[:8, 32:].mean() > 5 * apart[20:, :20].mean()
