"""Accumulators begin with what changes nothing, take one more, and end as one number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.emit.fold import combine, horizontal, identity
from sardonyx.loops.nest import Literal, Reduce, Reduced
from tests.unit.llvm.written import run

TARGET = targets.detect()
EXACT = {"sum": np.add, "prod": np.multiply, "rmax": np.maximum, "rmin": np.minimum}


def reduction(op: str, dtype: DType) -> Reduce:
    return Reduce(Reduced("r", dtype, frozenset()), op, (), Literal(0, dtype))


@pytest.mark.parametrize("dtype", [dt.F32, dt.F64, dt.I8, dt.U8, dt.I64, dt.U32], ids=str)
@pytest.mark.parametrize("op", EXACT)
@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_folds(op: str, dtype: DType, lanes: int) -> None:
    r, rng = reduction(op, dtype), np.random.default_rng(lanes)
    low = 0 if dtype.kind == "u" else -5
    a, b = (rng.integers(low, 5, lanes).astype(dtype.numpy) for _ in range(2))

    def write(f: Any, x: Any, y: Any) -> list[Any]:
        start = identity(f, r, lanes, TARGET)
        whole = combine(f, TARGET, r, combine(f, TARGET, r, start, x), y)
        return [combine(f, TARGET, r, start, x), whole, horizontal(f, TARGET, r, whole)]

    first, both, one = (part.view(dtype.numpy) for part in run(write, a, b))
    assert np.array_equal(first, a), "the identity changes nothing"
    assert np.array_equal(both, EXACT[op](a, b))
    assert one[0] == EXACT[op].reduce(EXACT[op](a, b))


@pytest.mark.parametrize(
    ("op", "expected"), [("rmax", [0, 1, 1, 1]), ("rmin", [0, 0, 0, 1]), ("sum", [0, 1, 1, 1])]
)
def test_truths(op: str, expected: list[int]) -> None:
    r = reduction(op, dt.BOOL)
    x, y = np.array([0, 1, 0, 1], np.uint8), np.array([0, 0, 1, 1], np.uint8)
    (got,) = run(lambda f, *v: [combine(f, TARGET, r, *(f.convert("trunc", a, "i1") for a in v))], x, y)
    assert got.tolist() == [bool(n) for n in expected]


def test_nan_stays_in_extrema() -> None:
    r = reduction("rmax", dt.F32)
    (got,) = run(lambda f, x: [horizontal(f, TARGET, r, x)], np.float32([1, np.nan, 3, 2]))
    assert np.isnan(got[0])
