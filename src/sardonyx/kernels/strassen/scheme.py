"""The seven products of Strassen's algorithm in Winograd's form: of what, and how results come from them.

C = A B of matrices cut into quarters. Pure data; must not know how matrices are cut or laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar


class Ring(Protocol):
    """What can be added and subtracted: arrays, or values of a kernel."""

    def __add__(self, other: Self, /) -> Self: ...

    def __sub__(self, other: Self, /) -> Self: ...


T = TypeVar("T", bound=Ring)

PRODUCTS = 7
PLAIN = 3
"""The first products, whose right operands are quarters of B as they are."""


def lefts(a: Sequence[T]) -> list[T]:
    """The left operands, of the quarters A11, A12, A21, A22."""
    s1 = a[2] + a[3]
    s2 = s1 - a[0]
    return [a[0], a[1], a[1] - s2, a[3], s1, s2, a[0] - a[2]]


RIGHT_QUARTERS = (0, 2, 3)
"""The quarters of B that the first products multiply."""

DIFFERENCES = ((4, 1, 0), (5, 3, 4), (3, 5, 2), (6, 3, 1))
"""Product, minuend, subtrahend of the others, in the order they are made in.

These are quarters of B, from 4 on differences before.
"""


def results(p: Sequence[T]) -> list[T]:
    """The quarters of C, of the seven products."""
    u = p[0] + p[5]
    v = u + p[4]
    w = u + p[6]
    return [p[0] + p[1], v + p[2], w - p[3], w + p[4]]
