"""Cells learn the boxes whose middles they hold, and say them again."""

from __future__ import annotations

import numpy as np

from sardonyx.vision.boxes.cells import GRID, MOST, boxes, lesson, middles
from sardonyx.vision.boxes.precision import overlap

CORNERS = np.array([[0.1, 0.2, 0.5, 0.9], [0.25, 0.5, 0.35, 0.6], [0.8, 0.05, 0.83, 0.08]])
KINDS = np.array([1, 0, 1])


def test_what_is_learned_is_said_again() -> None:
    told = lesson(CORNERS, KINDS, 2)
    chances = np.eye(3)[told.kinds][:, :2]
    found = boxes(chances, told.sides, 0.5)
    assert sorted(found.kinds.tolist()) == [0, 1, 1]
    assert overlap(found.corners, CORNERS).max(1).min() > 0.99


def test_the_smallest_of_boxes_that_share_a_cell_is_learned() -> None:
    told = lesson(CORNERS, KINDS, 2)
    at = middles()
    inner = (np.abs(at - [0.3, 0.55]) < 0.013).all(1)
    assert inner.any() and (told.kinds[inner] == 0).all()
    ground = (at > 0.95).all(1)
    assert (told.kinds[ground] == 2).all() and not told.inside[ground].any()
    beside = (np.abs(at - [0.12, 0.8]) < 0.015).all(1)
    assert told.inside[beside].all() and (told.kinds[beside] == 2).all()


def test_of_boxes_that_overlap_the_best_of_a_class_is_told() -> None:
    chances, sides = np.zeros((GRID * GRID, 2)), np.full((GRID * GRID, 4), np.log(0.1))
    chances[[820, 821, 5], 0] = 0.6, 0.9, 0.7
    chances[821, 1] = 0.5
    found = boxes(chances, sides, 0.1)
    assert found.scores.tolist() == [0.9, 0.7, 0.5] and found.kinds.tolist() == [0, 0, 1]
    assert (found.corners >= 0).all() and (found.corners <= 1).all()
    assert len(boxes(chances, sides, 0.95).kinds) == 0
    assert len(boxes(np.ones((GRID * GRID, 1)), np.full((GRID * GRID, 4), -7.0), 0.1).kinds) == MOST


def test_a_picture_without_boxes() -> None:
    told = lesson(np.zeros((0, 4)), np.zeros(0, int), 3)
    assert (told.kinds == 3).all() and not told.inside.any()
