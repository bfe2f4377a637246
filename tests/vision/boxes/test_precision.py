"""Average precision is that of pycocotools 2.0.11, whose numbers stand here, and exact by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.vision.boxes.precision import Boxes, overlap, precision

# Of each picture true boxes and found ones: class, left, top, right, bottom and, of found ones, the score.
PICTURES = (
    (
        "2,37,41,54,58 0,53,34,88,71 1,46,50,54,73 2,13,3,47,15",
        "2,35,40,52,60,0.04 0,51,38,88,71,0.51 1,46,51,54,73,0.47 "
        "2,17,6,50,17,0.92 0,20,59,55,72,0.63 0,27,12,62,39,0.51",
    ),
    ("0,29,22,44,61", "0,25,19,48,63,0.85 2,12,43,46,72,0.64 0,22,29,34,54,0.74 1,0,37,16,75,0.09"),
    ("2,32,43,56,70", "2,34,42,57,71,0.39"),
    ("", "2,19,13,53,33,0.61 1,9,22,29,48,0.64"),
    ("0,32,40,57,62 1,57,9,76,24", "0,35,36,56,66,0.87 1,61,6,72,26,0.66"),
    ("1,31,7,66,42", "1,35,8,70,46,0.88 0,16,8,48,45,0.64 0,33,11,48,36,0.57"),
    ("", "2,58,24,72,39,0.88"),
    ("", "0,28,45,46,67,0.03 2,32,28,64,37,0.12"),
    ("2,24,58,35,87", "2,23,54,35,86,0.93 2,40,20,75,39,0.01 2,3,35,39,59,0.75 2,16,41,40,73,0.81"),
    ("", "1,8,50,42,89,0.51 1,25,50,33,85,0.73"),
    (
        "2,13,13,24,26 1,11,11,31,30 2,54,21,71,59",
        "2,12,10,22,22,0.41 1,15,8,31,27,0.92 2,58,18,71,63,0.07 2,53,53,79,79,0.43 2,46,44,80,65,0.52",
    ),
    ("2,57,44,90,73 0,15,47,44,64", "2,58,48,94,71,0.05 0,13,48,43,66,0.21"),
)
# pycocotools' precision at the 101 recalls, its mean: classes by overlaps 0.50 to 0.95; then AP and AP50.
TABLE = [
    [0.724972, 0.724972, 0.422442, 0.112211, 0.112211, 0.112211, 0.036775, 0.0, 0.0, 0.0],
    [0.611033, 0.611033, 0.199434, 0.199434, 0.199434, 0.036775, 0.036775, 0.036775, 0.036775, 0.036775],
    [0.512871, 0.336634, 0.336634, 0.336634, 0.207921, 0.173717, 0.013501, 0.0, 0.0, 0.0],
]
MEANS = (0.205598369, 0.616292105)


def boxes(text: str, scored: bool = True) -> Boxes:
    rows = np.array([[float(cell) for cell in row.split(",")] for row in text.split()])
    rows = rows.reshape(-1, 6 if scored else 5)
    scores = rows[:, 5] if scored else np.ones(len(rows))
    return Boxes(rows[:, 1:5], rows[:, 0].astype(int), scores)


def test_numbers_are_those_of_pycocotools() -> None:
    found = [boxes(row[1]) for row in PICTURES]
    judged = precision(found, [boxes(row[0], False) for row in PICTURES], 3)
    np.testing.assert_allclose(judged.table, TABLE, atol=1e-6)
    np.testing.assert_allclose((judged.mean, judged.at_half), MEANS, atol=1e-8)


def test_by_hand() -> None:
    true = [boxes("0,0,0,10,10 0,20,0,30,10", False)]
    assert precision(true, true, 1).mean == 1.0
    half = precision([boxes("0,0,0,10,10,0.9 0,50,50,60,60,0.8")], true, 1)
    assert half.at_half == pytest.approx(51 / 101) and half.counts.tolist() == [2]
    late = precision([boxes("0,50,50,60,60,0.9 0,0,0,10,10,0.8")], true, 1)
    assert late.at_half == pytest.approx(51 / 101 / 2)
    assert precision([boxes("")], true, 1).mean == 0.0
    twice = precision([boxes("0,0,0,10,10,0.9 0,0,0,10,10,0.8 0,20,0,30,10,0.7")], true, 1)
    assert twice.at_half == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_classes_without_a_true_box_count_for_nothing() -> None:
    true = [boxes("0,0,0,10,10", False)]
    judged = precision([boxes("0,0,0,10,10,0.5 1,0,0,10,10,0.9")], true, 2)
    assert judged.mean == 1.0 and np.isnan(judged.table[1]).all()
    assert np.isnan(precision([boxes("")], [boxes("", False)], 1).mean)


def test_overlaps() -> None:
    first = np.array([[0.0, 0, 2, 2]])
    second = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6], [1, 1, 1, 1]])
    np.testing.assert_allclose(overlap(first, second), [[1, 1 / 7, 0, 0]])
    assert overlap(first, np.zeros((0, 4))).shape == (1, 0)
