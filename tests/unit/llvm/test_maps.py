"""Element-wise primitives against their meaning, bit by bit; the transcendental ones are in test_mathfn."""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.ir import prims
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.llvm import mapped
from tests.unit.llvm.mapped import Case, Natives

Array = npt.NDArray[Any]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

FLOATS = (dt.F32, dt.F64, dt.F16, dt.BF16)
SIGNED = (dt.I8, dt.I16, dt.I32, dt.I64)
UNSIGNED = (dt.U8, dt.U16, dt.U32, dt.U64)
INTS = SIGNED + UNSIGNED
NATIVE = (*FLOATS, *INTS, dt.BOOL)

UNARY_FLOAT = ("neg", "abs", "sign", "floor", "ceil", "round", "trunc", "sqrt")
BINARY_FLOAT = ("add", "sub", "mul", "div", "mod", "fmod", "max", "min")
BINARY_INT = ("add", "sub", "mul", "div", "mod", "fmod", "max", "min", "pow", "shl", "shr")
BITWISE = ("bitand", "bitor", "bitxor")
COMPARE = ("eq", "lt", "le")


def _plain() -> Iterator[Case]:
    for t in FLOATS:
        yield from (Case(p, (t,), t) for p in UNARY_FLOAT)
        yield from (Case(p, (t, t), t) for p in BINARY_FLOAT)
        yield from (Case(p, (t,), dt.BOOL) for p in ("isnan", "isinf"))
    for t in INTS:
        yield from (
            Case(p, (t,), t) for p in ("neg", "abs", "sign", "bitnot", "floor", "ceil", "round", "trunc")
        )
        yield from (Case(p, (t, t), t) for p in (*BINARY_INT, *BITWISE))
    for t in NATIVE:
        yield from (Case(p, (t, t), dt.BOOL) for p in COMPARE)
        yield Case("where", (dt.BOOL, t, t), t)
    b = dt.BOOL
    yield from (Case(p, (b, b), b) for p in ("and", "or", "xor", "add", "mul", "max", "min", *BITWISE))
    yield from (Case(p, (b,), b) for p in ("not", "bitnot"))


def _literal() -> Iterator[Case]:
    for t, value in itertools.product(FLOATS, (0.0, 0.5, -4.0, 3.0, float("inf"), float("nan"))):
        yield from (Case(p, (t, t), t, constants={1: value}) for p in ("max", "min", "div", "mul"))
        yield Case("max", (t, t), t, constants={0: value})
    for t, value in itertools.product(INTS, (1, 2, 3, 7, 8, -1, -4)):
        if value > 0 or t in SIGNED:
            yield from (Case(p, (t, t), t, constants={1: value}) for p in ("div", "mod", "fmod", "mul"))
        if value > 0:
            yield from (Case(p, (t, t), t, constants={1: value}) for p in ("shl", "shr", "pow"))


def _conversions() -> Iterator[Case]:
    for source, to in itertools.product(NATIVE, NATIVE):
        yield Case("cast", (source,), to, {"to": to})
        if source.size_bytes == to.size_bytes and to is not dt.BOOL:
            yield Case("bitcast", (source,), to, {"to": to})


CASES = {case.name: case for case in (*_plain(), *_literal(), *_conversions())}
# Code of one element and of half a register is the same on both, but for its encoding.
CONFIGURATIONS = [
    *((isa.V3, 1), (isa.V3, 8), (isa.V3, 16), (isa.V4, 16)),
    *(pytest.param(isa.V4, lanes, marks=pytest.mark.slow) for lanes in (1, 8)),
]


@functools.cache
def natives(target: Target, lanes: int) -> Natives:
    return Natives(list(CASES.values()), need(target), lanes)


def arguments(case: Case) -> list[Array]:
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    args = mapped.operands(case.types, rng)
    for position, value in case.constants.items():
        args[position] = np.full_like(args[position], value)
    if case.prim == "div" and not case.types[0].is_float:
        args[1] = np.where(args[1] == 0, np.ones_like(args[1]), args[1])
    if case.prim in ("shl", "shr") and case.types[0].kind == "i":
        args[1] = np.where(args[1] < 0, -(args[1] + 1), args[1])
    return args


def same(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iub":
        return np.asarray(a == b)
    zeros = np.signbit(a.astype(np.float64)) == np.signbit(b.astype(np.float64))
    return np.asarray(((a == b) & zeros) | (np.isnan(a) & np.isnan(b)))


def describe(case: Case, args: list[Array], got: Array, expected: Array, wrong: Array) -> str:
    at = int(np.argmax(wrong))
    where = ", ".join(repr(a[at]) for a in args)
    return f"{case.name}: {wrong.sum()} wrong, first at {where}: {got[at]!r}, expected {expected[at]!r}"


@pytest.mark.parametrize(("target", "lanes"), CONFIGURATIONS, ids=lambda v: getattr(v, "name", str(v)))
def test_primitives_mean_what_numpy_says(target: Target, lanes: int) -> None:
    native = natives(target, lanes)
    failures = []
    for case in CASES.values():
        args = arguments(case)
        expected = prims.PRIMS[case.prim].run(args, case.attrs)
        got, failed = native.run(case, *args)
        assert got.dtype == expected.dtype
        wrong = ~same(got, expected)
        if case.prim in ("max", "min", "sign"):
            wrong &= ~(got == expected)
        if wrong.any():
            failures.append(describe(case, args, got, expected, wrong))
        assert not failed, case.name
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(("target", "lanes"), [(isa.V3, 1), (isa.V3, 8), (isa.V4, 16)])
@pytest.mark.parametrize("dtype", INTS, ids=repr)
def test_division_by_zero_is_reported_for_lanes_that_count(target: Target, lanes: int, dtype: DType) -> None:
    case = Case("div", (dtype, dtype), dtype)
    masked = Case("div", (dtype, dtype), dtype, masked=True)
    native = Natives([case, masked], target, lanes)
    a = np.full(64, np.iinfo(dtype.numpy).min, dtype.numpy)
    b = np.full(64, -1 if dtype.kind == "i" else 1, dtype.numpy)
    for zero_at, counts in ((None, False), (6, False), (7, True)):
        divisor = b.copy()
        if zero_at is not None:
            divisor[zero_at] = 0
        _, failed = native.run(case, a, divisor)
        assert failed == (zero_at is not None)
        _, failed = native.run(masked, a, divisor)
        assert failed == (counts and lanes > 1)
