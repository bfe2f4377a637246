"""Numbers of every kind that rows of bytes may have."""

from __future__ import annotations

import numpy as np

from tests.unit.kernels.native import Array


def numbers(rng: np.random.Generator, kind: str, m: int, k: int) -> Array:
    """Unsigned bytes: near their mean with few that are far, near 0, all the same, or of every size."""
    drawn = {
        "around": lambda: rng.standard_normal((m, k)) * 29 + 128,
        "few": lambda: np.where(rng.integers(0, 400, (m, k)), rng.integers(100, 150, (m, k)), 255),
        "positive": lambda: rng.standard_normal((m, k)) * 60,
        "none": lambda: np.zeros((m, k)),
        "most": lambda: np.full((m, k), 255),
        "every": lambda: rng.integers(0, 256, (m, k)),
        "ends": lambda: rng.integers(0, 2, (m, k)) * 255,
    }[kind]()
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


KINDS = "around", "few", "positive", "none", "most", "every", "ends"
