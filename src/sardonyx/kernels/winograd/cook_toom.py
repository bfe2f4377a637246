"""Short convolutions with the fewest multiplications, after Cook and Toom, in exact rationals.

Decides points and matrices alone; must not know images, kernels or floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from sardonyx.base.dataclass import dataclass

Matrix = tuple[tuple[Fraction, ...], ...]


def _with_opposites(*points: Fraction) -> tuple[Fraction, ...]:
    return (Fraction(0), *(sign * point for point in points for sign in (1, -1)))


POINTS: dict[int, tuple[Fraction, ...]] = {
    1: (),
    4: _with_opposites(Fraction(1)),
    6: _with_opposites(Fraction(3, 4), Fraction(3, 2)),
    8: _with_opposites(Fraction(1), Fraction(2), Fraction(1, 2)),
}
"""Where polynomials are evaluated beside infinity, by how many there are with it.

Opposite points share work. 3/4 and 3/2 round half as much as 1 and 2; what images and products are multiplied
by is exact in binary.
"""


@dataclass(frozen=True, slots=True)
class Transforms:
    """y = result ((weights w) * (data x)): y[i] = sum over k of w[k] x[i + k], with one product a point.

    Attributes:
        data: points x inputs.
        weights: points x taps.
        result: outputs x points.
    """

    data: Matrix
    weights: Matrix
    result: Matrix

    @property
    def outputs(self) -> int:
        """Outputs along one axis."""
        return len(self.result)

    @property
    def inputs(self) -> int:
        """Inputs along one axis, and products."""
        return len(self.data)

    @property
    def taps(self) -> int:
        """Taps of the window."""
        return len(self.weights[0])


@cache
def transforms(outputs: int, taps: int) -> Transforms:
    """Those of a window of so many taps; `outputs + taps - 1` is a key of POINTS."""
    points = POINTS[outputs + taps - 1]
    others = [[q for q in points if q != p] for p in points]
    scales = [_value(_with_roots(roots), p) for p, roots in zip(points, others, strict=True)]
    weights = [[p**k / scale for k in range(taps)] for p, scale in zip(points, scales, strict=True)]
    data = [[*_with_roots(roots), Fraction(0)] for roots in others]
    result = [[*(p**i for p in points), Fraction(i == outputs - 1)] for i in range(outputs)]
    at_infinity = [Fraction(k == taps - 1) for k in range(taps)]
    return Transforms(
        _matrix([*data, _with_roots(points)]), _matrix([*weights, at_infinity]), _matrix(result)
    )


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the product of (x - root), the lowest power first."""
    polynomial = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *polynomial]
        polynomial = [s - root * c for s, c in zip(shifted, [*polynomial, Fraction(0)], strict=True)]
    return polynomial


def _value(polynomial: Sequence[Fraction], at: Fraction) -> Fraction:
    return sum((c * at**k for k, c in enumerate(polynomial)), Fraction(0))


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(map(tuple, rows))
