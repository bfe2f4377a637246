"""What every training on pictures is asked for, and which of it makes sense."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sardonyx.vision.pictures import VisionError

Progress = Callable[[int, int], None]
"""Told how many pictures are looked at, and how many there are; what it raises ends the training."""

MOST_VIEWS = 16


@dataclass(frozen=True)
class PictureSettings:
    """What the user asks for.

    Attributes:
        backbone: which network of the zoo looks at the pictures.
        views: how many of each picture are learned from: itself, and changed a little.
        seed: of all random choices.
        threads: how many pictures are looked at side by side; 0 are all cores.
    """

    backbone: str
    views: int
    seed: int = 0
    threads: int = 0

    def check(self, backbones: Collection[str], what: str = "a backbone") -> None:
        """Raises VisionError for a backbone that is none of these, and for too many or too few views."""
        if self.backbone not in backbones:
            raise VisionError(f"{self.backbone!r} is not {what}; there are {', '.join(backbones)}")
        if not 1 <= self.views <= MOST_VIEWS:
            raise VisionError(f"{self.views} views of a picture: give 1 (only itself) to {MOST_VIEWS}")
