"""Weights of convolutions in the order of products: tap by tap, channel by channel, outputs side by side.

Must not know who multiplies them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_TOGETHER = 64
"""Outputs whose weights are read side by side: those of all lie too far apart to be turned quickly."""


def by_tap(w: Array, channels: int, outputs: int) -> Array:
    """w[..., OC, IC, taps] as [..., taps, channels, outputs], contiguous, zeros where w has none."""
    *batch, given, inputs, taps = w.shape
    make = np.empty if (given, inputs) == (outputs, channels) else np.zeros
    turned: Array = make((*batch, taps, channels, outputs), w.dtype)
    for at in range(0, given, _TOGETHER):
        part = w[..., at : at + _TOGETHER, :, :]
        turned[..., :inputs, at : at + part.shape[-3]] = part.swapaxes(-1, -3)
    return turned
