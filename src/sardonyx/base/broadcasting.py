"""Sizes and strides of tensors that are broadcast to each other, as far as sizes are known."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim


def broadcast(a: Dim, b: Dim) -> Dim:
    """The size of two sizes broadcast together: one of them is 1 or they agree.

    Raises ValueError if both are known and contradict each other.
    """
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise ValueError(f"sizes {a} and {b} do not broadcast")
    # A known size other than 1 must be the result; the other side is 1 or equal to it.
    if isinstance(a, int):
        return a
    if isinstance(b, int):
        return b
    if dims.at_least(a, 2):
        return a
    if dims.at_least(b, 2):
        return b
    for whole, part in ((a, b), (b, a)):
        # min(n, k) broadcasts with n only where it is n, or 1.
        if isinstance(part, dims.Expr) and whole in _arguments(part, "min"):
            return whole
    return dims.function("broadcast", *sorted((a, b), key=str))


def _arguments(dim: dims.Expr, fn: str) -> tuple[Dim, ...]:
    if len(dim.terms) == 1 and dim.terms[0][1] == 1 and len(dim.terms[0][0]) == 1:
        atom = dim.terms[0][0][0]
        if isinstance(atom, dims.Applied) and atom.fn == fn:
            return atom.args
    return ()


def broadcast_stride(size: Dim, result: Dim, stride: Dim) -> Dim:
    """`stride`, or 0 where an axis of that size is repeated to `result`; decided at run time if need be."""
    if size == 1:
        return 0
    if size == result or (isinstance(size, int) and size != 1):
        return stride
    return dims.function("bstride", size, result, stride)
