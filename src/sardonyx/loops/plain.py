"""Maxima of rows that need not keep NaN: of softmax, where a NaN makes all that is computed from the row NaN.

A maximum that may lose NaN is one instruction, and what it is subtracted from is at most 0 afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import replace
from sardonyx.loops.nest import Apply, Expr, Kernel, Reduce, Reduced, Statement, Store, children, roots, walk


def with_plain_maxima(kernel: Kernel) -> Kernel:
    """The kernel that says so of maxima m of x whose only use is x - m, and exp(x - m) is summed.

    Everything that is stored must come from that sum.
    """
    plain = {s.result.name for s in kernel.body if isinstance(s, Reduce) and _is_plain(s, kernel.body)}
    if not plain:
        return kernel
    body = tuple(
        replace(s, plain=True) if isinstance(s, Reduce) and s.result.name in plain else s for s in kernel.body
    )
    return replace(kernel, body=body)


def _is_plain(maximum: Reduce, body: Sequence[Statement]) -> bool:
    if maximum.op != "rmax" or not maximum.expr.dtype.is_float:
        return False
    exprs = list(walk(e for s in body for e in roots(s)))
    readers = [e for e in exprs if any(_is(part, maximum) for part in children(e))]
    shifted = [e for e in readers if isinstance(e, Apply) and e.prim == "sub" and e.args[0] is maximum.expr]
    if not shifted or len(shifted) < len(readers) or any(_is(e, maximum) for s in body for e in roots(s)):
        return False
    sums = [
        s
        for s in body
        if isinstance(s, Reduce)
        and (s.op, s.axes) == ("sum", maximum.axes)
        and isinstance(s.expr, Apply)
        and s.expr.prim == "exp"
        and s.expr.args[0] in shifted
    ]
    stores = [s for s in body if isinstance(s, Store)]
    return bool(sums) and all(any(_rests_on(s.expr, total) for total in sums) for s in stores)


def _is(expr: Expr, reduction: Reduce) -> bool:
    return isinstance(expr, Reduced) and expr.name == reduction.result.name


def _rests_on(expr: Expr, reduction: Reduce) -> bool:
    """Whether NaN in a reduction is NaN in an expression: arithmetic leads from one to the other."""
    if _is(expr, reduction):
        return True
    keeps = isinstance(expr, Apply) and expr.prim in ("add", "sub", "mul", "div", "log", "cast", "neg")
    return keeps and any(_rests_on(part, reduction) for part in children(expr))
