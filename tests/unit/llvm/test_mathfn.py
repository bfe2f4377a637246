"""Transcendental functions: errors in ulp over their whole range, and the results at special arguments."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.ir import meaning
from sardonyx.llvm import mathfn
from sardonyx.llvm.lanes import Lanes
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.llvm.mapped import CHUNK, Case, Natives, specials
from tests.unit.llvm.written import formula, run

Array = npt.NDArray[Any]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

_erf = np.vectorize(math.erf, otypes=[np.longdouble])

# Function, range of its interesting arguments, and the largest error in ulp for float and for double.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], float, float, float, float]] = {
    "exp": (np.exp, -105, 90, 0.9, 0.9),
    "log": (np.log, 0, 4, 0.95, 0.95),
    "tanh": (np.tanh, -10, 10, 2.6, 2.6),
    "erf": (_erf, -5, 5, 2.4, 2.9),
    "sigmoid": (meaning.sigmoid, -100, 90, 2.6, 2.6),
    "sin": (np.sin, -1e5, 1e5, 1.5, 1.7),
    "cos": (np.cos, -50, 50, 1.5, 1.7),
    "tan": (np.tan, -50, 50, 2.5, 2.5),
    "asin": (np.arcsin, -1, 1, 2.4, 2.4),
    "acos": (np.arccos, -1, 1, 1.5, 1.5),
    "atan": (np.arctan, -5, 5, 1.9, 1.9),
    "sinh": (np.sinh, -90, 90, 1.7, 1.7),
    "cosh": (np.cosh, -90, 90, 1.4, 1.4),
    "asinh": (np.arcsinh, -5, 5, 1.8, 1.8),
    "acosh": (np.arccosh, 1, 5, 2.0, 2.0),
    "atanh": (np.arctanh, -1, 1, 2.0, 2.0),
}
# Code of one element and of half a register is the same on both, but for its encoding.
CONFIGURATIONS = [
    *((isa.V3, 1), (isa.V3, 8), (isa.V3, 16), (isa.V4, 16)),
    *(pytest.param(isa.V4, lanes, marks=pytest.mark.slow) for lanes in (1, 8)),
]
LITERALS = (0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -1.0, -2.0, -0.5, 1.5)
WIDE = (dt.F32, dt.F64)


def _cases() -> list[Case]:
    cases = [Case(name, (t,), t) for name, t in itertools.product(FUNCTIONS, (*WIDE, dt.F16, dt.BF16))]
    cases += [Case("gelu", (dt.F32,), dt.F32), *(Case("pow", (t, t), t) for t in WIDE)]
    return cases + [Case("pow", (t, t), t, constants={1: v}) for t, v in itertools.product(WIDE, LITERALS)]


@functools.cache
def natives(target: Target, lanes: int) -> Natives:
    return Natives(_cases(), need(target), lanes)


def arguments(dtype: DType, low: float, high: float) -> Array:
    """Values over the whole format, over a range, and around one; then special ones."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 1 << dtype.bits, 4096, dtype=np.uint64).astype(f"u{dtype.size_bytes}")
    ranged = rng.uniform(low, high, 8192).astype(dtype.numpy)
    around = rng.uniform(0.5, 1.5, 1024).astype(dtype.numpy)
    edges = specials(dtype)
    padding = np.ones(-edges.size % CHUNK, dtype.numpy)
    return np.concatenate([bits.view(dtype.numpy), ranged, around, edges, padding])


def ulps(got: Array, exact: Array) -> Array:
    """Errors in units of the last place of the exact value; infinite where NaN or infinity is wrong."""
    rounded = exact.astype(got.dtype)
    unit = np.where(np.isfinite(rounded), np.spacing(np.abs(rounded)), 1).astype(np.longdouble)
    error = np.abs(got.astype(np.longdouble) - exact) / unit
    error[(got == rounded) & np.isinf(got)] = 0
    wrong = (np.isnan(got) != np.isnan(exact)) | (np.isinf(got) & (np.abs(exact) < np.finfo(got.dtype).max))
    return np.where(wrong, np.inf, np.where(np.isnan(exact), 0, error))


def _bounded(name: str, got: Array, exact: Array, limit: float, *args: Array) -> None:
    error = ulps(got, exact)
    at = int(np.argmax(error))
    where = ", ".join(repr(a[at]) for a in args)
    assert error[at] <= limit, f"{name}({where}) = {got[at]!r}, exactly {exact[at]!r}: {error[at]:.2f} ulp"
    zeros = (got == 0) & (exact == 0) & (args[0] == 0)
    assert np.array_equal(np.signbit(got[zeros]), np.signbit(exact[zeros])), f"{name} loses the sign of zero"


@pytest.mark.parametrize(
    ("target", "lanes"),
    [(isa.V3, 1), (isa.V3, 8), (isa.V3, 16), (isa.V4, 1), (isa.V4, 16), (isa.V4, 32)],
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_gelu_is_off_by_little_of_its_argument_and_of_what_is_above_zero(target: Target, lanes: int) -> None:
    x = arguments(dt.F32, -14, 6)
    case = Case("gelu", (dt.F32,), dt.F32)
    got, _ = Natives([case], need(target), lanes).run(case, x)
    wide = x.astype(np.float64)
    exact = wide * 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(wide * -math.sqrt(0.5))
    assert np.array_equal(np.isnan(got), np.isnan(exact))
    assert np.array_equal(np.isinf(got), np.isinf(exact))
    finite = np.isfinite(x)
    error = np.abs(got.astype(np.float64) - exact)[finite]
    size, unit = np.abs(wide)[finite], np.float64(np.finfo(np.float32).smallest_subnormal)
    assert np.all(error <= 2.0**-23 * size + unit)
    above, below = wide[finite] > 0, (wide[finite] > -3) & (wide[finite] < 0)
    assert np.all(error[above] <= 2 * 2.0**-23 * exact[finite][above] + unit)
    assert np.all(error[below] <= 1e-4 * np.abs(exact[finite][below]) + unit)


@pytest.mark.parametrize(("target", "lanes"), CONFIGURATIONS, ids=lambda v: getattr(v, "name", str(v)))
@pytest.mark.parametrize("dtype", WIDE, ids=repr)
def test_functions_are_accurate_over_their_whole_range(target: Target, lanes: int, dtype: DType) -> None:
    native = natives(target, lanes)
    for name, (exact, low, high, *limits) in FUNCTIONS.items():
        x = arguments(dtype, low, high)
        got, _ = native.run(Case(name, (dtype,), dtype), x)
        _bounded(name, got, exact(x.astype(np.longdouble)), limits[dtype is dt.F64], x)


@pytest.mark.parametrize(("target", "lanes"), [(isa.V3, 8), (isa.V4, 16)])
@pytest.mark.parametrize("dtype", [dt.F16, dt.BF16], ids=repr)
def test_half_types_are_rounded_once(target: Target, lanes: int, dtype: DType) -> None:
    native = natives(target, lanes)
    for name, (exact, low, high, *_) in FUNCTIONS.items():
        x = arguments(dtype, low, high)
        got, _failed = native.run(Case(name, (dtype,), dtype), x)
        expected = exact(x.astype(np.float64)).astype(dtype.numpy)
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        off = np.abs(got.view("i2").astype(np.int64) - expected.view("i2"))
        assert np.all(same | (off <= 1)), f"{name}: {x[~(same | (off <= 1))][:4]}"
        assert np.mean(same) > 0.999, name


@pytest.mark.parametrize(("target", "lanes"), CONFIGURATIONS, ids=lambda v: getattr(v, "name", str(v)))
@pytest.mark.parametrize("dtype", WIDE, ids=repr)
def test_large_angles_are_reduced_with_all_their_digits(target: Target, lanes: int, dtype: DType) -> None:
    native = natives(target, lanes)
    exponents = np.arange(-20.0, 127 if dtype is dt.F32 else 1023)
    x = np.ldexp(1.375, exponents.astype(int)).astype(dtype.numpy)
    x = np.resize(x, -(-x.size // CHUNK) * CHUNK)
    x[::3] *= -1
    x[5] = 16367173.0 * 2.0**72 if dtype is dt.F32 else 6381956970095103.0 * 2.0**797
    for name in ("sin", "cos", "tan"):
        got, _ = native.run(Case(name, (dtype,), dtype), x)
        exact = FUNCTIONS[name][0]
        _bounded(name, got, exact(x.astype(np.longdouble)), 2.5, x)


@pytest.mark.parametrize(("target", "lanes"), CONFIGURATIONS, ids=lambda v: getattr(v, "name", str(v)))
@pytest.mark.parametrize("dtype", WIDE, ids=repr)
def test_powers(target: Target, lanes: int, dtype: DType) -> None:
    native = natives(target, lanes)
    rng = np.random.default_rng(3)
    limit = 150 if dtype is dt.F32 else 1070
    x = np.abs(arguments(dtype, 0, 2))
    with np.errstate(all="ignore"):
        y = (rng.uniform(-limit, limit, x.size) / np.log2(x.astype(np.longdouble))).astype(dtype.numpy)
    got, _ = native.run(Case("pow", (dtype, dtype), dtype), x, y)
    _bounded("pow", got, np.power(x.astype(np.longdouble), y.astype(np.longdouble)), 1.1, x, y)
    edges = [0.0, 1.0, 2.0, 3.0, 0.5, 7.5, np.inf, 1e-41, 2.0**24 - 1, 2.0**24 + 1, 1e30, 1.0000001]
    values = [*edges, *(-v for v in edges), np.nan]
    pairs = np.array(list(itertools.product(values, values)))
    a, b = (np.resize(v, 640).astype(dtype.numpy) for v in pairs.T)
    got, _ = native.run(Case("pow", (dtype, dtype), dtype), a, b)
    expected = np.power(a.astype(np.float64), b.astype(np.float64)).astype(dtype.numpy)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert np.all((np.signbit(got) == np.signbit(expected)) | np.isnan(expected))


@pytest.mark.parametrize(("target", "lanes"), [(isa.V3, 8), (isa.V4, 16), (isa.V4, 1)])
@pytest.mark.parametrize("dtype", WIDE, ids=repr)
def test_powers_with_literal_exponents(target: Target, lanes: int, dtype: DType) -> None:
    native = natives(target, lanes)
    x = arguments(dtype, -8, 8)
    for exponent in LITERALS:
        got, _ = native.run(Case("pow", (dtype, dtype), dtype, constants={1: exponent}), x)
        wide = x.astype(np.longdouble)
        _bounded(f"pow {exponent}", got, np.power(wide, np.longdouble(exponent)), 2.0, x)


@pytest.mark.parametrize(("target", "lanes"), [(isa.V3, 8), (isa.V4, 8), (isa.V4, 1)])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_mantissa_and_exponent_make_the_number(target: Target, lanes: int, real: Any) -> None:
    x = np.resize(np.array([0.75, 1.4999, 1.5, 3, 1e-30, 1e30, np.finfo(real).tiny / 8, 7], real), lanes)
    m, e = run(lambda f, v: [part.v for part in mathfn.split(Lanes(f, v), target)], x, target=need(target))
    assert np.all((m >= 0.75) & (m < 1.5))
    assert np.array_equal(np.ldexp(m, e.astype(int)), x)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_scaling_rounds_once_and_powers_do_not_overflow_between(target: Target, real: Any) -> None:
    bits = 126 if real is np.float32 else 1022
    n = np.array([0, 1, -1, bits, -bits, -bits - 10, bits + 1, -2 * bits], real)
    x = np.full(8, 1.2345, real)
    got = formula(lambda a, b: mathfn.scale(a, b, target), x, n, target=need(target))
    with np.errstate(all="ignore"):
        assert np.array_equal(got, np.ldexp(x, n.astype(int)))
    edge = np.full(8, np.log(np.finfo(real).max) * (1 + np.finfo(real).eps), real)
    half = formula(lambda a: mathfn.exp_times_power(a, target, -1), edge, target=need(target))
    assert np.isfinite(half).all(), "e^x alone would be infinite"
