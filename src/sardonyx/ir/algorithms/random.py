"""The one source of chance: a number new in every run, from which formulas make all random tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]
_generator = np.random.default_rng()


def random_key(*, stream: str) -> Array:
    """A new uint32; `stream` only keeps the keys of different nodes apart."""
    return np.asarray(_generator.integers(0, 1 << 32, dtype=np.uint32))


register("random_key", "opaque", random_key)
