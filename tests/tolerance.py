"""How far two results may be apart: by element type and accumulation length, in this one place.

A sum of `length` terms in floating point drifts by about sqrt(length) roundings of its largest partial sum,
so the bound of an element has a part relative to itself and one relative to the largest of its tensor:

    |a - e|  <=  eps * (ulps + sqrt(length)) * |e|  +  eps * sqrt(length) * max|e|

Below its smallest normal number a type has roundings of one fixed size, which the bound never goes below.
Integers, booleans and strings must be equal. An expectation written by hand with d decimals is known to
its last one: such lists are cut off as often as they are rounded.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Roundings allowed to one element by itself: functions such as exp are right to a few ulp, and a formula
# chains a few of them. Narrow types are computed in float32 and rounded once; references round at each step.
ULPS: dict[np.dtype[Any], float] = {
    np.dtype(np.float64): 16,
    np.dtype(np.float32): 16,
    np.dtype(np.float16): 4,
    np.dtype(ml_dtypes.bfloat16): 2,
    np.dtype(ml_dtypes.float8_e4m3fn): 1,
    np.dtype(ml_dtypes.float8_e4m3fnuz): 1,
    np.dtype(ml_dtypes.float8_e5m2): 1,
    np.dtype(ml_dtypes.float8_e5m2fnuz): 1,
}
EPS = {dtype: float(ml_dtypes.finfo(dtype).eps) for dtype in ULPS}  # type: ignore[no-untyped-call]
LEAST = {
    dtype: float(ml_dtypes.finfo(dtype).smallest_subnormal)  # type: ignore[no-untyped-call]
    for dtype in ULPS
}
REAL_MODEL_BOUND = 1e-4
# Of a convolution by transforms, by the points of a tile: rms of the errors, as a part of that of the result.
TRANSFORMED_BOUNDS = {6: 1e-6, 8: 2e-6, 16: 1e-6, 25: 1e-6, 36: 3e-6, 81: 2e-6}
# Of a product by Strassen's algorithm, once or twice, of each row: rms of the errors, as a part of its own.
SEVEN_BOUNDS = {1: 3e-6, 2: 1e-5}
# Of a product with weights of 24 bits: the same, of the whole result.
SHORT_BOUND = 1e-5
# Of a product by matrix registers: rms of the errors, as a part of that of the result.
MATRIX_BOUNDS = {"bf16": 5e-3, "bf16x3": 1e-5, "bf16x6": 1e-6, "s8x6": 1e-6}
# Of an output of a real model in bf16: rms of what it is apart from fp32, as a part of that of the output.
BFLOAT16_MODEL_BOUND = 5e-2
# Of one that is a wave of sound: phases drift, which the rms sees and an ear does not.
BFLOAT16_WAVE_BOUND = 2e-1
# A real number that far from exact may fall to the wrong one of 256 points, but only so near to their border.
POINT_BOUND = 255 * REAL_MODEL_BOUND
# How much nearer than this a point lies to its border is chance: what single roundings of float32 are worth.
CHANCE_OF_POINTS = 1e-3


def bound(expected: Array, length: int = 1, decimals: int | None = None, largest: float = 0.0) -> Array:
    """The largest allowed distance from each element of `expected` (float64, same shape).

    `largest` is the sum of the sizes of the terms of an element, where they cancel each other.
    """
    dtype = expected.dtype
    if dtype not in ULPS:
        return np.zeros(expected.shape)
    eps = EPS[dtype]
    size = np.abs(expected.astype(np.float64))
    size = np.where(np.isfinite(size), size, 0)
    root = math.sqrt(length)
    written = 0.0 if decimals is None else 1.01 * 10**-decimals
    relative = eps * (ULPS[dtype] + root) * size + eps * root * float(size.max(initial=0))
    relative += min(eps, EPS[np.dtype(np.float32)]) * root * largest
    return np.maximum(relative, ULPS[dtype] * LEAST[dtype]) + written


def difference(
    actual: Array,
    expected: Array,
    length: int = 1,
    decimals: int | None = None,
    largest: float = 0.0,
    points: int = 0,
) -> str | None:
    """What is wrong with `actual`, or None: type, shape, or the worst element beyond `bound`.

    Args:
        actual: the result under test.
        expected: the trusted result.
        length: how many terms the longest sum behind an element has; 0 if nothing but itself decides it.
        decimals: how many `expected` was written with, if by hand.
        largest: the sum of the sizes of those terms.
        points: how far integers may be apart that are rounded from real numbers.
    """
    if actual.dtype != expected.dtype:
        return f"type {actual.dtype}, expected {expected.dtype}"
    if actual.shape != expected.shape:
        return f"shape {list(actual.shape)}, expected {list(expected.shape)}"
    if expected.dtype.kind in "OUST":
        equal = actual == expected
        return None if np.all(equal) else f"{np.sum(~equal)} of {equal.size} strings differ"
    if expected.dtype.kind == "c":
        return difference(_parts(actual), _parts(expected), length, decimals, largest)
    if expected.dtype not in ULPS:
        near = points and np.abs(actual.astype(np.int64) - expected.astype(np.int64)).max(initial=0) <= points
        return None if near else _first_unequal(actual, expected)
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        same = (a == e) | (np.isnan(a) & np.isnan(e))
        allowed = bound(expected, length, decimals, largest)
        excess = np.where(same, 0, np.abs(a - e) - allowed)
    wrong = ~same & ~(excess <= 0)
    if not wrong.any():
        return None
    worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
    return (
        f"{np.sum(wrong)} of {wrong.size} elements differ, most at {list(map(int, worst))}: "
        f"{a[worst]!r}, expected {e[worst]!r}, allowed distance {allowed[worst]:.3g}"
    )


def difference_of_models(actual: Array, expected: Array) -> str | None:
    """What is wrong with the output of a real model: floats within 1e-4 of the largest value, else equal."""
    if expected.dtype.kind != "f":
        return difference(actual, expected)
    if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
        return difference(actual, expected)
    if not np.array_equal(np.isnan(actual), np.isnan(expected)):
        return "NaN in different places"
    largest = float(np.nanmax(np.abs(expected), initial=0))
    apart = float(np.nanmax(np.abs(actual.astype(np.float64) - expected), initial=0))
    if apart <= REAL_MODEL_BOUND * largest:
        return None
    return f"off by {apart / largest if largest else math.inf:.2e} of the largest value {largest:.4g}"


def difference_of_rounded_models(
    actual: Array, expected: Array, most: float = BFLOAT16_MODEL_BOUND
) -> str | None:
    """What is wrong with the output of a real model in bf16, beside that in fp32; other types are equal."""
    if expected.dtype.kind != "f" or (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
        return difference(actual, expected)
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    error, size = (float(np.sqrt(np.mean(x**2))) for x in (a - e, e))
    return (
        None if error <= most * size else f"rms of what it is apart is {error:.2e}, of the output {size:.2e}"
    )


def difference_of_transforms(actual: Array, exact: Array, points: int) -> str | None:
    """What is wrong with a convolution by transforms, tiles of so many points; `exact` is float64."""
    if actual.shape != exact.shape:
        return f"shape {list(actual.shape)}, expected {list(exact.shape)}"
    error = math.sqrt(np.mean((actual - exact) ** 2) / np.mean(exact**2))
    return None if error <= TRANSFORMED_BOUNDS[points] else f"rms of the errors is {error:.2e} of the result"


def difference_of_seven(actual: Array, exact: Array, times: int = 1) -> str | None:
    """What is wrong with a row of a product by Strassen's algorithm, so many times; `exact` is float64."""
    if actual.shape != exact.shape:
        return f"shape {list(actual.shape)}, expected {list(exact.shape)}"
    errors = np.sqrt(np.mean((actual - exact) ** 2, -1))
    sizes = np.sqrt(np.mean(exact**2, -1))
    wrong = np.flatnonzero(~(errors <= SEVEN_BOUNDS[times] * sizes))
    return f"rows {wrong[:5]} are off by {errors[wrong[:5]]} of {sizes[wrong[:5]]}" if len(wrong) else None


def difference_of_short(actual: Array, exact: Array) -> str | None:
    """What is wrong with a product with weights of 24 bits; `exact` is float64."""
    if actual.shape != exact.shape:
        return f"shape {list(actual.shape)}, expected {list(exact.shape)}"
    error, size = (float(np.sqrt(np.mean(x**2))) for x in (actual - exact, exact))
    return None if error <= SHORT_BOUND * size else f"off by {error} of {size}"


def difference_of_matrices(actual: Array, exact: Array, tile: str, term: float = 0.0) -> str | None:
    """What is wrong with a product by matrix registers, by the name of its tile; `exact` is rounded once.

    `term` is the size of what an element of the result adds up, which may cancel: errors are a part of that.
    """
    finite = np.isfinite(exact)
    if actual.shape != exact.shape or not np.array_equal(actual[~finite], exact[~finite], equal_nan=True):
        return difference(actual, exact)
    a, e = (x[finite].astype(np.float64) for x in (actual, exact))
    error, size = (math.sqrt(np.mean(x**2)) if len(x) else 0.0 for x in (a - e, e))
    if error <= MATRIX_BOUNDS[tile] * max(size, term):
        return None
    return f"rms of the errors is {error:.2e}, of the result {size:.2e}, of its terms {term:.2e}"


def worse_than_peer(actual: Array, peer: Array, exact: Array) -> str | None:
    """What is wrong if `actual` is clearly further from `exact` than the peer's result; all have one shape.

    Distances are relative to the largest value. Half of the peer's and a few roundings more are the luck of
    an order of terms. Of things that are not floats the wrong ones are counted.
    """
    if exact.dtype.kind != "f":
        wrong, peers = int(np.sum(actual != exact)), int(np.sum(peer != exact))
        return f"{wrong} of {exact.size} are wrong, of the peer's {peers}" if wrong > peers else None
    ours, theirs = _distance(actual, exact), _distance(peer, exact)
    if ours <= 1.5 * theirs + ULPS[actual.dtype] * EPS[actual.dtype]:
        return None
    return f"off by {ours:.2e} of the largest value, the peer by {theirs:.2e}"


def _distance(actual: Array, exact: Array) -> float:
    """The largest distance between two tensors, as a part of the largest value; NaNs are left out."""
    wide = exact.astype(np.float64)
    apart = float(np.nanmax(np.abs(actual.astype(np.float64) - wide), initial=0))
    return apart / (float(np.nanmax(np.abs(wide), initial=0)) or 1)


def assert_close(actual: Array, expected: Array, length: int = 1) -> None:
    """Fail with `difference` as the message if there is any."""
    wrong = difference(np.asarray(actual), np.asarray(expected), length)
    assert wrong is None, wrong


def _parts(array: Array) -> Array:
    return np.stack([array.real, array.imag], -1)


def _first_unequal(actual: Array, expected: Array) -> str | None:
    unequal = np.argwhere((actual != expected) & ((actual == actual) | (expected == expected)))
    if not len(unequal):
        return None
    first = tuple(unequal[0])
    return (
        f"{len(unequal)} of {expected.size} elements differ, first at {list(map(int, first))}: "
        f"{actual[first]!r}, expected {expected[first]!r}"
    )
