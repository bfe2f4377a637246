"""Trains picture classifiers on a few pictures and writes each as one ONNX file that takes uint8 pictures.

Names are imported when first used; scikit-learn and Pillow are needed then (`sardonyx[vision]`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sardonyx.vision.pictures import VisionError
    from sardonyx.vision.training import Settings, Trained, train

_HOMES = {"pictures": ("VisionError",), "training": ("Settings", "Trained", "train")}
__all__ = ["Settings", "Trained", "VisionError", "train"]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            try:
                return getattr(importlib.import_module(f"sardonyx.vision.{home}"), name)
            except ModuleNotFoundError as error:
                if (error.name or "").startswith("sardonyx"):
                    raise
                raise ImportError(
                    f"training on pictures needs {error.name}; pip install 'sardonyx[vision]'",
                    name=error.name,
                ) from error
    raise AttributeError(f"module 'sardonyx.vision' has no attribute {name!r}")
