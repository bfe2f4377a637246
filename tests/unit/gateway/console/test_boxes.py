"""Boxes are found in every common form of a detector's outputs, the same box in each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.gateway.console.boxes import MOST, boxes_of

WIDTH, HEIGHT = 200, 100
CORNERS = np.array([[20, 10, 60, 50], [100, 20, 180, 90], [21, 10, 60, 50]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7], np.float32)
KINDS = np.array([1, 0, 1])


def yolo(rows: int, objectness: bool) -> Any:
    """Rows of middle, size, a score and scores of two classes, most of them empty."""
    table = np.zeros((rows, 4 + objectness + 2), np.float32)
    for at, (corners, score, kind) in enumerate(zip(CORNERS, SCORES, KINDS, strict=True)):
        table[at, :4] = *(corners[:2] + corners[2:]) / 2, *(corners[2:] - corners[:2])
        table[at, 4 + objectness + kind] = score
        if objectness:
            table[at, 4] = 1
    return table


def one_hot(columns: int) -> Any:
    table = np.zeros((3, columns), np.float32)
    table[np.arange(3), KINDS] = SCORES
    return table


FORMS: dict[str, Any] = {
    "separate": {"boxes": CORNERS[None], "labels": KINDS[None], "scores": SCORES[None]},
    "shares": {"boxes": CORNERS / [WIDTH, HEIGHT, WIDTH, HEIGHT], "scores": SCORES, "class": KINDS},
    "scores by class": {"boxes": CORNERS, "scores": one_hot(2)},
    "classes first": {"boxes": CORNERS, "scores": one_hot(2).T},
    "rows of six": {"out": np.column_stack([CORNERS, SCORES, KINDS]).astype(np.float32)},
    "rows of seven": {"out": np.column_stack([np.zeros(3), CORNERS, SCORES, KINDS]).astype(np.float32)},
    "yolo, a column a box": {"out": yolo(200, False).T[None]},
    "yolo, a row a box": {"out": yolo(200, True)[None]},
}
FORMS["shares"]["boxes"] = FORMS["shares"]["boxes"].astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    found = boxes_of(FORMS[form], WIDTH, HEIGHT)
    assert found is not None
    assert [box.kind for box in found] == [1, 0], "the third overlaps a better one of its class"
    first = found[0]
    assert (first.left, first.top, first.width, first.height) == pytest.approx((0.1, 0.1, 0.2, 0.4), abs=1e-6)
    assert first.score == pytest.approx(0.9)


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"logits": np.zeros((1, 1000), np.float32)},
        {"mask": np.zeros((1, 3, 8, 4), np.float32)},
        {"ids": np.zeros((1, 5, 4), np.int64)},
    ],
    ids=str,
)
def test_other_outputs_are_no_boxes(outputs: Any) -> None:
    assert boxes_of(outputs, WIDTH, HEIGHT) is None


def test_bounds() -> None:
    places = np.arange(100)[:, None] * 2.0
    many = np.concatenate([places, places, places + 1, places + 1], 1).astype(np.float32)
    scores = np.linspace(0.2, 1, 100).astype(np.float32)
    found = boxes_of({"boxes": many, "scores": scores}, 200, 200)
    assert found is not None
    assert len(found) == MOST
    assert [b.score for b in found] == sorted((b.score for b in found), reverse=True)
    odd = {"boxes": np.array([[np.nan] * 4, [0.5, 0.5, 2, 0.2]], np.float32), "scores": np.float32([1, 1])}
    (left,) = boxes_of(odd, 10, 10) or []
    assert (left.width, left.height) == (0.5, 0)
