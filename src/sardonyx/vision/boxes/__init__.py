"""Trains detectors of boxes on pictures, with heads on the maps of a frozen network.

Names are imported when first used; scikit-learn and Pillow are needed then (`sardonyx[vision]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sardonyx.base.lazy import lazy

if TYPE_CHECKING:
    from sardonyx.vision.boxes.training import BoxSettings, TrainedBoxes, has_boxes, train

_HOMES = {"training": ("BoxSettings", "TrainedBoxes", "has_boxes", "train")}
__all__ = ["BoxSettings", "TrainedBoxes", "has_boxes", "train"]

__getattr__ = lazy(__name__, _HOMES, needed="training on pictures needs {}; pip install 'sardonyx[vision]'")
