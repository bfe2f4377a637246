"""Maxima may lose NaN where every result of the kernel is NaN then all the same, and nowhere else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.loops.nest import (
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Reduce,
    Reduced,
    Store,
    along,
)
from sardonyx.loops.plain import with_plain_maxima
from tests.tolerance import assert_close

ROW, AXIS = Axis("i", 4), Axis("j", 9)
ALL = frozenset([ROW])
X = Load(Buffer("x", dt.F32, "in"), along(ROW) + along(AXIS), dt.F32)
OTHER = Load(Buffer("z", dt.F32, "in"), along(ROW) + along(AXIS), dt.F32)
M, S = Reduced("m", dt.F32, ALL), Reduced("s", dt.F32, ALL)
SHIFTED = Apply("sub", (X, M), dt.F32)
EXP = Apply("exp", (SHIFTED,), dt.F32)


def kernel(result: Expr, total: Expr = EXP, op: str = "rmax") -> Kernel:
    maximum, whole = Reduce(M, op, (AXIS,), X), Reduce(S, "sum", (AXIS,), total)
    store = Store(Buffer("y", dt.F32, "out"), along(ROW) + along(AXIS), (AXIS,), result)
    return Kernel("k", (ROW,), (maximum, whole, store), ())


def is_plain(found: Kernel) -> bool:
    (maximum,) = (s for s in with_plain_maxima(found).body if isinstance(s, Reduce) and s.result is M)
    return maximum.plain


def test_softmax_and_its_logarithm_need_no_nan_in_the_maximum() -> None:
    assert is_plain(kernel(Apply("div", (EXP, S), dt.F32)))
    assert is_plain(kernel(Apply("sub", (SHIFTED, Apply("log", (S,), dt.F32)), dt.F32)))


@pytest.mark.parametrize(
    "other",
    [
        kernel(EXP),
        kernel(Apply("add", (S, M), dt.F32)),
        kernel(Apply("div", (EXP, S), dt.F32), op="rmin"),
        kernel(Apply("div", (EXP, S), dt.F32), total=SHIFTED),
        kernel(
            Apply("div", (EXP, S), dt.F32), total=Apply("exp", (Apply("sub", (OTHER, M), dt.F32),), dt.F32)
        ),
        kernel(Apply("where", (Apply("isnan", (S,), dt.BOOL), Literal(0.0, dt.F32), EXP), dt.F32)),
        kernel(Apply("max", (Literal(0.0, dt.F32), S), dt.F32)),
    ],
    ids=["not of the sum", "the maximum itself", "a minimum", "no exp", "of others", "a choice", "a maximum"],
)
def test_others_keep_it(other: Kernel) -> None:
    assert not is_plain(other)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("columns", [1, 15, 16, 33, 200])
def test_rows_with_nan_and_infinities(op: str, rows: int, columns: int) -> None:
    x = np.random.default_rng(columns).normal(size=(rows * 6, columns)).astype(np.float32)
    x[rows, columns // 2] = np.nan
    x[2 * rows, -1] = np.inf
    x[3 * rows] = -np.inf
    x[4 * rows, 0] = -np.inf
    x[5 * rows] *= 1e30
    text = f"g (float[N,M] x) => (float[N,M] y) {{ y = {op}(x) }}"
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> {text}')
    (got,) = sardonyx.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        shifted = wide - wide.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        expected = np.exp(shifted) / total if op == "Softmax" else shifted - np.log(total)
    assert_close(got, expected.astype(np.float32), columns)
