"""Heads find what cells can tell, and are told from the score where most is right."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.vision.boxes.cells import GRID
from sardonyx.vision.boxes.heads import best_least, fitted, seen
from sardonyx.vision.boxes.maps import examples
from sardonyx.vision.boxes.precision import Boxes, precision

RANDOM = np.random.default_rng(0)
CLASSES = ("disc", "square", "never")


def scene() -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Maps that say what is there: in which direction its middle lies and what it is."""
    low = RANDOM.uniform(0, 0.6, 2)
    corners = np.array([[*low, *(low + RANDOM.uniform(0.2, 0.25, 2))]])
    kind = int(RANDOM.integers(0, 2))
    levels = []
    for at in range(3):
        side = GRID >> at
        y, x = (np.indices((side, side)) + 0.5) / side
        near = np.exp(
            -(((x - corners[0, [0, 2]].mean()) ** 2 + (y - corners[0, [1, 3]].mean()) ** 2) / 0.004)
        )
        away = [
            np.log(np.clip(value, 1e-3, None))
            for value in (x - low[0], corners[0, 2] - x, y - low[1], corners[0, 3] - y)
        ]
        planes = [near * (kind == 0), near * (kind == 1), *away]
        levels.append(np.stack(planes, 2) + RANDOM.normal(0, 0.02, (side, side, 6)))
    return tuple(levels), corners, np.array([kind])


@pytest.mark.parametrize("names", [CLASSES, ("disc",)])
def test_boxes_of_unseen_maps_are_found(names: tuple[str, ...]) -> None:
    lessons, true, maps = [], [], []
    for _ in range(130):
        levels, corners, kinds = scene()
        kinds = np.minimum(kinds, len(names) - 1)
        lessons.append(examples(levels, corners, kinds, len(names), RANDOM))
        true.append(Boxes(corners, kinds, np.ones(1)))
        maps.append(levels)
    rows = [np.concatenate([lesson[at] for lesson in lessons[:120]]) for at in range(3)]
    head = fitted(rows[0], rows[1], rows[2], (6, 6, 6), names)
    assert head.weights.shape == (18, len(names) + 1) and head.classes == names
    found = [seen(head, levels) for levels in maps[120:]]
    assert precision(found, true[120:], len(names)).at_half > 0.9
    assert all(2 not in row.kinds for row in found)


def test_the_least_score_is_where_most_is_right() -> None:
    true = [Boxes(np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]), np.array([0, 1]), np.ones(2))]
    corners = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0.6, 0.1, 0.7], [0, 0, 0.5, 0.5]])
    found = [Boxes(corners, np.array([0, 1, 0, 0]), np.array([0.9, 0.6, 0.3, 0.2]))]
    assert best_least(found, true) == (pytest.approx(0.45), 1.0, 1.0)
    assert best_least([Boxes(corners[:0], np.zeros(0, int), np.zeros(0))], true) == (0.5, 0.0, 0.0)
