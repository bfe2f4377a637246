"""Trains models on tables and writes each as one ONNX file that takes the raw columns by name.

Names are imported when first used; scikit-learn and pandas are needed then (`sardonyx[train]`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sardonyx.train.table import TrainError
    from sardonyx.train.training import Settings, Trained, train

_HOMES = {"table": ("TrainError",), "training": ("Settings", "Trained", "train")}
__all__ = ["Settings", "TrainError", "Trained", "train"]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            try:
                return getattr(importlib.import_module(f"sardonyx.train.{home}"), name)
            except ModuleNotFoundError as error:
                if (error.name or "").startswith("sardonyx"):
                    raise
                raise ImportError(
                    f"training needs {error.name}; pip install 'sardonyx[train]'", name=error.name
                ) from error
    raise AttributeError(f"module 'sardonyx.train' has no attribute {name!r}")
