"""Trains picture classifiers on a few pictures and writes each as one ONNX file that takes uint8 pictures.

Names are imported when first used; scikit-learn and Pillow are needed then (`sardonyx[vision]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sardonyx.base.lazy import lazy

if TYPE_CHECKING:
    from sardonyx.vision.pictures import VisionError
    from sardonyx.vision.training import Settings, Trained, train

_HOMES = {"pictures": ("VisionError",), "training": ("Settings", "Trained", "train")}
__all__ = ["Settings", "Trained", "VisionError", "train"]

__getattr__ = lazy(__name__, _HOMES, needed="training on pictures needs {}; pip install 'sardonyx[vision]'")
