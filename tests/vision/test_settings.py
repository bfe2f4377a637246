"""Settings of trainings on pictures are checked with a message that says what there is."""

from __future__ import annotations

import pytest

from sardonyx.vision.pictures import VisionError
from sardonyx.vision.settings import PictureSettings


@pytest.mark.parametrize("views", [1, 16])
def test_what_makes_sense_passes(views: int) -> None:
    PictureSettings("a", views).check(("a", "b"))


@pytest.mark.parametrize("views", [0, 17])
def test_views_are_limited(views: int) -> None:
    with pytest.raises(VisionError, match=rf"{views} views of a picture: give 1 \(only itself\) to 16"):
        PictureSettings("a", views).check(("a",))


def test_a_backbone_that_is_none_is_named_beside_those_there_are() -> None:
    with pytest.raises(VisionError, match="'c' is not an eye; there are a, b"):
        PictureSettings("c", 1).check(("a", "b"), "an eye")
