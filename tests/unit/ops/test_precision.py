"""Half-width floats are computed in single precision; quantised numbers are centred without an overflow."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ops.precision import centred, in_single, widened
from tests.unit.kernels.compiled import graph_of


@pytest.mark.parametrize(
    ("given", "wide"),
    [
        (dt.F16, dt.F32),
        (dt.BF16, dt.F32),
        (dt.F32, dt.F32),
        (dt.F64, dt.F64),
        (dt.I8, dt.I8),
        (dt.BOOL, dt.BOOL),
    ],
)
def test_only_half_width_floats_are_widened(given: Any, wide: Any) -> None:
    x = placeholder("x", given, (2,))
    assert widened(x).dtype is wide
    assert (widened(x) is x) == (given is wide)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_a_formula_rounds_once(dtype: Any) -> None:
    @in_single
    def formula(x: Value, y: Value, *, scale: float) -> Value:
        return x * scale - y

    x, y = np.array([1.0, 3.0, 1 / 3], dtype), np.array([1.0, 2.0, 0.1], dtype)
    graph = graph_of(lambda a, b: [formula(a, b, scale=1.001)], [x, y])
    (got,) = run(graph, [x, y])
    expected = (x.astype(np.float32) * np.float32(1.001) - y.astype(np.float32)).astype(dtype)
    assert got.dtype == x.dtype
    assert np.array_equal(got, expected)


def test_centring_is_exact_and_left_out_for_zero() -> None:
    x = np.array([0, 128, 255], np.uint8)
    for zero in (0, 128, 255):
        point = np.array(zero, np.uint8)
        (got,) = run(graph_of(lambda v, p=point: [centred(v, const(p))], [x]), [x])
        assert got.dtype == np.int32
        assert got.tolist() == [int(n) - zero for n in x]
    v = placeholder("x", dt.U8, (3,))
    assert centred(v, None).prim == "cast"
    assert centred(v, const(np.array(0, np.uint8))).prim == "cast"
    assert centred(v, placeholder("z", dt.U8, ())).prim != "cast"


def test_known_numbers_are_centred_when_the_graph_is_made() -> None:
    w, zeros = np.array([[0, 255, 7], [128, 1, 9]], np.uint8), np.array([0, 128, 255], np.uint8)
    found = centred(const(w), const(zeros))
    assert (found.prim, found.dtype) == ("const", dt.I32)
    assert found.data is not None
    assert found.data.tolist() == [[0, 127, -248], [128, -127, -246]]
    signed = centred(const(w.astype(np.int8)), const(np.array(-128, np.int8)))
    assert signed.data is not None
    assert signed.data.tolist() == (w.astype(np.int8).astype(int) + 128).tolist()
