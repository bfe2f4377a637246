"""Boxes are cut at the edges of their pictures; what cannot be learned from is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.vision.boxes.scenes import Mark, Scene, checked
from sardonyx.vision.pictures import VisionError

HOME = Path("set")


def scene(*sides: tuple[float, float, float, float], kind: int = 0, held: bool = False) -> Scene:
    marks = tuple(Mark(kind, *side, f"line {at}") for at, side in enumerate(sides, 1))
    return Scene(Path("a.png"), marks, held)


GOOD = (0.1, 0.1, 0.5, 0.5)


def test_boxes_are_cut_at_the_edge() -> None:
    scenes = checked(HOME, [scene((-0.2, 0.5, 0.5, 1.5)), scene(), *[scene(GOOD)] * 5], ["cat"])
    assert scenes.boxes[0].tolist() == [[0, 0.5, 0.5, 1]] and scenes.boxes[1].shape == (0, 4)
    assert scenes.warnings == ("1 boxes reach out of their pictures; they were cut at the edge",)
    assert not scenes.held.any()


def test_classes_without_boxes_are_left_out() -> None:
    rows = [scene(GOOD, kind=2)] * 5 + [scene(GOOD, kind=0)] * 5 + [scene(GOOD, kind=1, held=True)]
    scenes = checked(HOME, rows, ["cat", "dog", "hen"])
    assert scenes.classes == ("cat", "hen") and scenes.kinds[0].tolist() == [1]
    assert len(scenes.boxes[-1]) == 0 and scenes.held.tolist() == [False] * 10 + [True]
    assert "no box of dog" in scenes.warnings[0]


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ((1.2, 0.1, 1.5, 0.5), "line 1: a box wholly outside its picture"),
        ((0.1, 0.1, 0.1, 0.5), "line 1: a box without area"),
        ((0.1, 0.1, np.nan, 0.5), "line 1: a box without area"),
        (GOOD, "'cat' has 1"),
    ],
)
def test_what_is_no_box_is_named(sides: tuple[float, float, float, float], words: str) -> None:
    with pytest.raises(VisionError, match=words):
        checked(HOME, [scene(sides)], ["cat"])


def test_pictures_and_boxes_are_needed() -> None:
    with pytest.raises(VisionError, match="no picture in set"):
        checked(HOME, [], ["cat"])
    with pytest.raises(VisionError, match="no box on any of the 2 pictures"):
        checked(HOME, [scene(), scene()], ["cat"])
