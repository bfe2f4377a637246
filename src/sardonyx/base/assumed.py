"""Sizes where work is estimated: what is not known is taken for a common size. Knows nothing of tensors."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dim import Dim, evaluate, symbols

ASSUMED = 64
"""Stands in for a size that is not known, where work is estimated."""

IMAGE_PIXELS = 224
"""Lines and pixels of a common image."""


def assumed(dim: Dim, size: int = ASSUMED, others: Mapping[str, int] | None = None) -> int:
    """The value of `dim` where every size that is not known, nor among `others`, is `size`."""
    try:
        return evaluate(dim, {**dict.fromkeys(symbols(dim), size), **(others or {})})
    except (ValueError, ZeroDivisionError):  # broadcast sizes may contradict what is taken for free ones
        return size
