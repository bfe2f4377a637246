"""Trains models on tables and writes each as one ONNX file that takes the raw columns by name.

Names are imported when first used; scikit-learn and pandas are needed then (`sardonyx[train]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sardonyx.base.lazy import lazy

if TYPE_CHECKING:
    from sardonyx.train.table import TrainError
    from sardonyx.train.training import Settings, Trained, train

_HOMES = {"table": ("TrainError",), "training": ("Settings", "Trained", "train")}
__all__ = ["Settings", "TrainError", "Trained", "train"]

__getattr__ = lazy(__name__, _HOMES, needed="training needs {}; pip install 'sardonyx[train]'")
