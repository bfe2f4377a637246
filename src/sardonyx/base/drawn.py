"""Numbers for a first try of a model, of any element type; must not know what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base.dtype import DType


def drawn(dtype: DType, shape: Sequence[int], random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Floats in [0, 1), integers and truth values 0 or 1, which most models take; not for texts."""
    assert dtype.kind != "O", "texts are not drawn"
    if dtype.kind in "fc":
        return np.asarray(random.random(shape, np.float32)).astype(dtype.numpy)
    return np.asarray(random.integers(0, 2, shape)).astype(dtype.numpy)
