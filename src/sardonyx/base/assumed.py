"""Sizes where work is estimated: what is not known is taken for `ASSUMED`. Knows nothing of tensors."""

from __future__ import annotations

from sardonyx.base.dim import ASSUMED, Dim, evaluate, symbols


def assumed(dim: Dim) -> int:
    """The value of `dim` where every size that is not known is `ASSUMED`."""
    try:
        return evaluate(dim, dict.fromkeys(symbols(dim), ASSUMED))
    except (ValueError, ZeroDivisionError):
        return ASSUMED
