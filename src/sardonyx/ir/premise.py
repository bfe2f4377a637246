"""What the values that are being built assume of sizes, noted for as long as their graph lives.

A pass may drop the value that rests on a condition, but not the condition. Must not know values or graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.signature import MOST_AXES
from sardonyx.errors import ShapeError
from sardonyx.ir import origin
from sardonyx.ir.obligation import Obligation

_collected: list[dict[tuple[Dim, bool], Obligation]] = []


@contextmanager
def collect_premises() -> Iterator[dict[tuple[Dim, bool], Obligation]]:
    """What the values that are built inside the block assume, each condition once."""
    found: dict[tuple[Dim, bool], Obligation] = {}
    _collected.append(found)
    try:
        yield found
    finally:
        _collected.pop()


@contextmanager
def only_premises(wanted: Callable[[Dim], bool]) -> Iterator[None]:
    """Of what the values that are built inside the block assume, only what passes is noted."""
    with collect_premises() as found:
        yield
    for key, obligation in found.items() if _collected else ():
        if wanted(obligation.dim):
            _collected[-1].setdefault(key, obligation)


def assume_sizes(prim: str, shape: Sequence[Dim], low: int) -> bool:
    """Note that unknown sizes of a value are at least `low`; False if it surely has no elements."""
    if len(shape) > MOST_AXES:
        raise ShapeError(f"{prim} would have {len(shape)} axes; at most {MOST_AXES} are possible")
    has_elements = True
    for size in shape:
        if isinstance(size, dims.Expr):
            dims.assume(size, low)
        elif size == 0:
            has_elements = False
    return has_elements


def must_equal(a: Dim, b: Dim, what: str, *sizes: Dim | Sequence[Dim]) -> None:
    """Note that two sizes are taken to be equal if it is not proven; `what` names `sizes` where it has {}.

    Raises ShapeError if they surely are not.
    """
    difference = a - b
    if difference == 0 or (isinstance(difference, dims.Expr) and not _collected):
        return
    message = what.format(*(list(n) if isinstance(n, Sequence) else n for n in sizes))
    if not isinstance(difference, dims.Expr):
        raise ShapeError(message)
    if (difference, True) not in _collected[-1]:
        where = origin.innermost() or "a node"
        _collected[-1][difference, True] = Obligation(difference, True, f"{where}: {message}")


def must_broadcast(a: Dim, b: Dim, result: Dim) -> None:
    """Note that two sizes broadcast to `result`: each of them is that, or 1."""
    if not _collected or a == b:
        return
    what = "sizes {} and {} do not broadcast"
    if result not in (a, b):
        must_equal(_unless_one(a, _unless_one(b, a - b)), 0, what, a, b)
    for part in (a, b) if result in (a, b) else ():
        must_be_one_or(part, result, what, a, b)


def broadcast_shape(a: Sequence[Dim], b: Sequence[Dim], of: Sequence[Dim]) -> tuple[Dim, ...]:
    """The common shape of two of equal rank; ShapeError with the shape `of` if they contradict each other."""
    if a == b or b.count(1) == len(b):
        return tuple(a)
    shape = []
    for p, q in zip(a, b, strict=True):
        if p == q or q == 1:
            shape.append(p)
            continue
        try:
            size = broadcasting.broadcast(p, q)
        except ValueError:
            raise ShapeError(f"size {p} does not broadcast with {q} (shape {list(of)})") from None
        must_broadcast(p, q, size)
        shape.append(size)
    return tuple(shape)


def must_be_one_or(a: Dim, b: Dim, what: str, *sizes: Dim | Sequence[Dim]) -> None:
    """Note that the first size is taken to be 1 or the second; see `must_equal`."""
    if a not in (1, b):
        must_equal(_unless_one(a, a - b), 0, what, *sizes)


def natural(size: Dim, what: str) -> Dim:
    """The size; in the place of one that is known to be negative 0, and a note that no run is possible."""
    if not isinstance(size, int) or size >= 0:
        return size
    if _collected:
        message = f"{origin.innermost() or 'a node'}: {what}"
        _collected[-1].setdefault((size, False), Obligation(size, False, message))
    return 0


def _unless_one(size: Dim, dim: Dim) -> Dim:
    return dims.where(dims.is_equal(size, 1), 0, dim)
