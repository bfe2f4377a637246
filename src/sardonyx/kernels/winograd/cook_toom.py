"""Short convolutions with the fewest multiplications, after Cook and Toom, in exact rationals or integers.

Decides points and matrices alone; must not know images, kernels or floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from sardonyx.base.dataclass import dataclass

Matrix = tuple[tuple[Fraction, ...], ...]


def _with_opposites(*points: Fraction) -> tuple[Fraction, ...]:
    return (Fraction(0), *(sign * point for point in points for sign in (1, -1)))


POINTS: dict[int, tuple[Fraction, ...]] = {
    1: (),
    3: (Fraction(0), Fraction(1)),
    4: _with_opposites(Fraction(1)),
    5: (*_with_opposites(Fraction(3, 4)), Fraction(3, 2)),
    6: _with_opposites(Fraction(3, 4), Fraction(3, 2)),
    8: _with_opposites(Fraction(1), Fraction(2), Fraction(1, 2)),
}
"""Where polynomials are evaluated beside infinity, by how many there are with it.

Opposite points share work. 3/4 and 3/2 round half as much as 1 and 2; what images and products are multiplied
by is exact in binary.
"""

WHOLE_POINTS: dict[int, tuple[Fraction, ...]] = {
    1: (),
    4: _with_opposites(Fraction(1)),
    6: _with_opposites(Fraction(1), Fraction(2)),
}
"""The same for integers: what images and weights are multiplied by is whole, and small."""


@dataclass(frozen=True, slots=True)
class Transforms:
    """divisor y = result ((weights w) * (data x)): y[i] = sum over k of w[k] x[i + k], one product a point.

    Attributes:
        data: points x inputs.
        weights: points x taps.
        result: outputs x points.
        divisor: what all results are multiples of.
    """

    data: Matrix
    weights: Matrix
    result: Matrix
    divisor: int = 1

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
    scales = _scales(points)
    weights = [[p**k / scale for k in range(taps)] for p, scale in zip(points, scales, strict=True)]
    result = [[*(p**i for p in points), Fraction(i == outputs - 1)] for i in range(outputs)]
    return Transforms(_data(points), _matrix([*weights, _last(taps)]), _matrix(result))


@cache
def stepped_transforms(outputs: int, taps: int) -> Transforms:
    """Those of results two inputs apart: y[i] = sum over k of w[k] x[2 i + k], of three taps.

    The outer taps read the even inputs, as a window of two does; the one between multiplies the odd ones.
    """
    assert taps == 3, "one tap reads odd inputs"
    of_even = transforms(outputs, 2)
    data = [_apart(row) for row in of_even.data]
    weights = [_apart(row) for row in of_even.weights]
    odd = [[Fraction(n == 2 * i + 1) for n in range(2 * outputs + 1)] for i in range(outputs)]
    between = [[Fraction(n == 1) for n in range(taps)]] * outputs
    result = [[*row, *(Fraction(n == i) for n in range(outputs))] for i, row in enumerate(of_even.result)]
    return Transforms(_matrix([*data, *odd]), _matrix([*weights, *between]), _matrix(result))


def _apart(row: Sequence[Fraction]) -> list[Fraction]:
    """Numbers with zeros between them."""
    spread = [Fraction(0)] * (2 * len(row) - 1)
    spread[::2] = row
    return spread


@cache
def whole_transforms(outputs: int, taps: int) -> Transforms:
    """Those in integers: results are multiplied by what weights would be divided by."""
    points = WHOLE_POINTS[outputs + taps - 1]
    scales = _scales(points)
    divisor = math.lcm(*(int(scale) for scale in scales))
    weights = [[p**k for k in range(taps)] for p in points]
    result = [
        [*(p**i * divisor / scale for p, scale in zip(points, scales, strict=True)), end * divisor]
        for i, end in enumerate(_last(outputs))
    ]
    return Transforms(_data(points), _matrix([*weights, _last(taps)]), _matrix(result), divisor)


def _scales(points: Sequence[Fraction]) -> list[Fraction]:
    """The product of the differences of each point and the others."""
    return [_value(_with_roots([q for q in points if q != p]), p) for p in points]


def _data(points: Sequence[Fraction]) -> Matrix:
    """Of each point, and of infinity, the product of (x - q) of the others."""
    others = [[q for q in points if q != p] for p in points]
    return _matrix([*([*_with_roots(roots), Fraction(0)] for roots in others), _with_roots(points)])


def _last(count: int) -> list[Fraction]:
    """The row of infinity: the last of so many alone."""
    return [Fraction(n == count - 1) for n in range(count)]


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
