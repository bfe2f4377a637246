"""Keeps what several passes over a row need: computed once, stored, and read back.

The row of the output serves as memory where lanes run along it and it has the type, thread-private scratch
otherwise: rows across the lanes may lie far apart in the output, all in the same few lines of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.loops.cost import expr_cost
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Pick,
    Reduce,
    Reduced,
    Statement,
    Store,
    joined,
    roots,
    walk,
)

_GAIN = 4.0
"""Instructions for a vector that storing a value must save."""
_MOST = 3
"""The most values that are stored."""
_ROUNDED = (dt.F16, dt.BF16, dt.BOOL)
"""Types that differ in memory from what is computed with."""


def stage(kernel: Kernel, lanes: int) -> Kernel:
    """Keep expensive values of a row.

    r0 = max over j of x[j]                       r0 = max over j of x[j]
    r1 = sum over j of exp(x[j] - r0)       ->    r1 = sum over j of exp(x[j] - r0), y[j] = exp(x[j] - r0)
    y[j] = exp(x[j] - r0) * r1                    y[j] = y[j] * r1
    """
    for _ in range(_MOST):
        found = _worth_keeping(kernel)
        if found is None:
            break
        kept = _keeping(kernel, *found, lanes)
        if kept is None:
            break
        kernel = kept
    return kernel


def _worth_keeping(kernel: Kernel) -> tuple[Expr, int] | None:
    """The value whose storing saves most, and the number of the first group of statements that needs it."""
    groups = joined(kernel.body)
    users: dict[int, list[int]] = {}
    known: dict[int, Expr] = {}
    for number, group in enumerate(groups):
        for expr in walk(e for s in group for e in roots(s)):
            users.setdefault(id(expr), []).append(number)
            known[id(expr)] = expr
    best, most = None, _GAIN
    for key, numbers in users.items():
        expr, axes = known[key], groups[numbers[0]][0].axes
        if len(numbers) < 2 or not _may_stage(expr, axes) or any(groups[n][0].axes != axes for n in numbers):
            continue
        saved = (expr_cost([expr], axes) - 1) * (len(numbers) - 1) - 1
        if saved > most:
            best, most = (expr, numbers[0]), saved
    return best


def _keeping(kernel: Kernel, expr: Expr, first: int, lanes: int) -> Kernel | None:
    """The kernel that stores a value in the first group that needs it, and reads it back later.

    Rows of a product are overwritten by it; None if they are needed once more.
    """
    groups = joined(kernel.body)
    axes = groups[first][0].axes
    if kernel.form == "rows":
        last = kernel.body[-1]
        assert isinstance(last, Store)
        buffer, at = last.buffer, last.at
    else:
        at_output = _row_of_output(kernel, expr, axes) if kernel.vector in axes else None
        buffer, at = at_output or _row_of_scratch(expr, axes, kernel.vector, lanes)
    kept = Load(buffer, at, expr.dtype)
    head = [*(s for g in groups[: first + 1] for s in g), Store(buffer, at, axes, expr)]
    tail = [_replaced(s, expr, kept) for g in groups[first + 1 :] for s in g]
    read = {e for e in walk(e for s in tail for e in roots(s)) if isinstance(e, Load) and e.buffer is buffer}
    if kernel.form == "rows" and (read != {kept} or expr.dtype is not buffer.dtype):
        return None
    return replace(kernel, body=(*head, *tail))


def _may_stage(expr: Expr, axes: Sequence[Axis]) -> bool:
    if not axes or not expr.axes.issuperset(axes) or expr.dtype in _ROUNDED:
        return False
    return isinstance(expr, Apply) or (isinstance(expr, Load) and bool(expr.picks))


def _row_of_output(kernel: Kernel, expr: Expr, axes: Sequence[Axis]) -> tuple[Buffer, Affine] | None:
    """Where the output element goes that a later statement computes from this value."""
    read = {e.buffer.key for s in kernel.body for e in s.exprs if isinstance(e, Load)}
    for s in kernel.body:
        if (
            isinstance(s, Store)
            and s.axes == tuple(axes)
            and not s.picks
            and s.buffer.dtype is expr.dtype
            and s.buffer.key not in read
        ):
            return s.buffer, s.at
    return None


def _row_of_scratch(
    expr: Expr, axes: Sequence[Axis], vector: Axis | None, lanes: int
) -> tuple[Buffer, Affine]:
    """A dense row, of whole vectors if lanes run along an outer axis: it serves one after the other."""
    terms: list[tuple[Axis, Dim]] = []
    size: Dim = 1
    if vector is not None and vector in expr.axes and vector not in axes:
        terms.append((vector, 1))
        size = lanes
    for axis in reversed(axes):
        terms.append((axis, size))
        size = size * axis.extent
    return Buffer("row", expr.dtype, "scratch", size=size), Affine(0, tuple(reversed(terms)))


def _replaced(statement: Statement, old: Expr, new: Expr) -> Statement:
    """The statement with one expression read back."""
    memo: dict[int, Expr] = {id(old): new}
    change = _changer(memo)
    if isinstance(statement, Reduce):
        return replace(statement, expr=change(statement.expr))
    picks = tuple(Pick(change(p.index), p.stride, p.extent) for p in statement.picks)
    return replace(statement, expr=change(statement.expr), picks=picks)


def _changer(memo: dict[int, Expr]) -> Callable[[Expr], Expr]:
    def change(root: Expr) -> Expr:
        for expr in walk([root]):
            if id(expr) not in memo:
                memo[id(expr)] = _with_children(expr, memo)
        return memo[id(root)]

    return change


def _with_children(expr: Expr, memo: dict[int, Expr]) -> Expr:
    if isinstance(expr, Apply):
        args = tuple(memo[id(a)] for a in expr.args)
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else replace(expr, args=args)
    if isinstance(expr, Load) and expr.picks:
        picks = tuple(Pick(memo[id(p.index)], p.stride, p.extent) for p in expr.picks)
        same = all(p.index is q.index for p, q in zip(picks, expr.picks, strict=True))
        return expr if same else replace(expr, picks=picks)
    return expr


# ---- division by what is the same for a row


def with_reciprocals(kernel: Kernel) -> Kernel:
    """Turn x / y into x * (1 / y) where y is one for a whole row and neither very small nor very large.

    Such are square roots, and sums of exponentials: at least 1 if the largest exponent is subtracted first;
    and in rows of scores, which are sums rounded more than that, the number that scales them.
    """
    sums = {
        s.result.name
        for s in kernel.body
        if isinstance(s, Reduce) and s.op == "sum" and isinstance(s.expr, Apply) and s.expr.prim == "exp"
    }
    memo: dict[int, Expr] = {}
    change, turned = _changer(memo), False
    for expr in walk(e for s in kernel.body for e in roots(s)):
        if isinstance(expr, Apply) and expr.prim == "div" and expr.dtype in (dt.F32, dt.F64):
            x, y = expr.args
            scales = kernel.form == "rows" and isinstance(y, Literal) and 1e-18 < abs(y.value) < 1e18
            if not x.axes <= y.axes and (scales or _is_moderate(y, sums)):
                inverse = Apply("div", (Literal(1.0, expr.dtype), change(y)), expr.dtype)
                memo[id(expr)] = Apply("mul", (change(x), inverse), expr.dtype)
                turned = True
    if not turned:
        return kernel
    return replace(kernel, body=tuple(replace(s, expr=change(s.expr)) for s in kernel.body))


def _is_moderate(expr: Expr, sums: Collection[str]) -> bool:
    if isinstance(expr, Reduced):
        return expr.name in sums
    if not isinstance(expr, Apply):
        return False
    if expr.prim in ("max", "add"):
        a, b = expr.args
        bounded = any(isinstance(e, Literal) and 1e-18 < e.value < 1e18 for e in (a, b))
        return bounded and (_is_moderate(a, sums) or _is_moderate(b, sums))
    return expr.prim == "sqrt"
