"""Converts trained models of other frameworks to ONNX, and proves that they still predict the same.

Names are imported when first used: these files also run where neither the engine nor ONNX is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sardonyx.base.lazy import lazy

if TYPE_CHECKING:
    from sardonyx.convert.conversion import Converted, convert
    from sardonyx.convert.framework import ConvertError
    from sardonyx.convert.kinds import kind_of
    from sardonyx.convert.live import (
        from_catboost,
        from_jax,
        from_keras,
        from_lightgbm,
        from_sklearn,
        from_torch,
        from_transformers,
        from_xgboost,
    )
    from sardonyx.convert.parity import Parity

_HOMES = {
    "conversion": ("Converted", "convert"),
    "framework": ("ConvertError",),
    "kinds": ("kind_of",),
    "live": (
        "from_catboost",
        "from_jax",
        "from_keras",
        "from_lightgbm",
        "from_sklearn",
        "from_torch",
        "from_transformers",
        "from_xgboost",
    ),
    "parity": ("Parity",),
}
__all__ = [
    "ConvertError",
    "Converted",
    "Parity",
    "convert",
    "from_catboost",
    "from_jax",
    "from_keras",
    "from_lightgbm",
    "from_sklearn",
    "from_torch",
    "from_transformers",
    "from_xgboost",
    "kind_of",
]

__getattr__ = lazy(__name__, _HOMES)
