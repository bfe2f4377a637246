"""`from_sklearn` and its like: conversions of live objects, in this process."""

from __future__ import annotations

from functools import partial
from typing import Any

from sardonyx.convert.conversion import Converted, convert
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks import framework


def _from(kind: str, model: Any, sample: Any = None, **options: Any) -> Converted:
    """Convert a live object; `sample` are inputs to compare on, the rest is as in `convert`."""
    if isinstance(model, str):
        raise ConvertError(
            f"{model!r} is a text; sardonyx.convert.convert takes files, this takes the object"
        )
    return convert(model, kind=framework(kind).kind, sample=sample, **options)


from_sklearn = partial(_from, "sklearn")
from_lightgbm = partial(_from, "lightgbm")
from_xgboost = partial(_from, "xgboost")
from_catboost = partial(_from, "catboost")
from_torch = partial(_from, "torch")
from_transformers = partial(_from, "huggingface")
from_keras = partial(_from, "keras")
from_jax = partial(_from, "jax")
