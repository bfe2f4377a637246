"""Boxes come out of each detector's own arithmetic, in pixels of the picture that was given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.zoo.tasks import detect
from sardonyx.zoo.tasks.detect import LAYOUT

PICTURE = Image.new("RGB", (200, 100), "white")


class Pages:
    """A PicoDet for 64 x 64 that sees a figure around the cell at row 2, column 3 of stride 8."""

    def __init__(self, path: str = "") -> None:
        self.fed: Any = None

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(shape=[1, 3, 64, 64])]

    def run(self, _: Any, feeds: Any) -> list[Any]:
        self.fed = feeds["image"]
        counts = [(64 // stride) ** 2 for stride in (8, 16, 32, 64)]
        scores = [np.zeros((1, count, len(LAYOUT)), np.float32) for count in counts]
        sides = [np.zeros((1, count, 4 * 8), np.float32) for count in counts]
        at = 2 * 8 + 3
        scores[0][0, at, LAYOUT.index("figure")] = 0.9
        scores[0][0, at + 1, LAYOUT.index("table")] = 0.3
        sides[0].reshape(1, counts[0], 4, 8)[0, at, range(4), [1, 2, 1, 2]] = 50
        return [*scores, *sides]


class Characters:
    """A YOLOX that sees one character twice, in neighbouring cells of stride 32."""

    def run(self, _: Any, feeds: Any) -> list[Any]:
        assert feeds["images"].shape == (1, 3, 416, 416)
        answer = np.zeros((1, 52**2 + 26**2 + 13**2, 6), np.float32)
        first = 52**2 + 26**2
        answer[0, first + 13 + 2] = [0.5, 0.5, np.log(2), np.log(1), 0.9, 1]
        answer[0, first + 13 + 3] = [-0.5, 0.5, np.log(2), np.log(1), 0.8, 1]
        return [answer]


def test_a_page_s_parts() -> None:
    session = Pages()
    boxes, scores, classes = detect._layout(session, PICTURE)
    assert session.fed.shape == (1, 3, 64, 64)
    best = int(np.argmax(scores))
    assert LAYOUT[classes[best]] == "figure"
    x, y = 3.5 * 8, 2.5 * 8
    np.testing.assert_allclose(
        boxes[best], np.array([x - 8, y - 16, x + 8, y + 16]) * np.array([200 / 64, 100 / 64] * 2)
    )


def test_characters() -> None:
    boxes, scores, _ = detect._characters(Characters(), PICTURE)
    best = int(np.argmax(scores))
    scale = 416 / 200
    np.testing.assert_allclose(boxes[best], np.array([80 - 32, 48 - 16, 80 + 32, 48 + 16]) / scale, rtol=1e-6)
    assert scores[best] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("model", "session", "label"),
    [("picodet_layout_cdla", Pages, "figure"), ("yolox_ddddocr_det", lambda path: Characters(), "character")],
)
def test_the_best_boxes_are_told_and_drawn(
    model: str, session: Any, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "pull", lambda name: tmp_path / name)
    monkeypatch.setattr(detect.sardonyx, "InferenceSession", session)
    answer = detect.make("detect", model)(PICTURE)
    (row,) = answer.data
    assert row["label"] == label and row["score"] == pytest.approx(0.9)
    assert answer.text == f" 90.0%  {label}  {row['box']}"
    left, top, right, bottom = row["box"]
    assert 0 <= left < right <= 200 and 0 <= top < bottom <= 100
    assert answer.picture is not None and answer.picture.tobytes() != PICTURE.tobytes()
