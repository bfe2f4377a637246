"""Models whose products have short sums: which calls serve them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import NativeCall, in_order
from sardonyx.kernels.shallow.call import shallow_call, steps_of

SHORT = "sums written out"


def session(k: int, rows: str = "M", nodes: str = "y = MatMul(x, w)") -> Any:
    text = f"g (float[{rows}, {k}] x) => (float[M, N] y) {{ {nodes} }}"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
    w = np.arange(5 * k, dtype=np.float32).reshape(k, 5) - k
    proto.graph.initializer.append(numpy_helper.from_array(w, "w"))
    return sardonyx.InferenceSession(proto.SerializeToString())


def test_sums_of_few_steps_are_written_out() -> None:
    made = session(3)
    (note,) = made.report.kernels
    assert note.plan.endswith(SHORT)
    x = np.arange(300, dtype=np.float32).reshape(100, 3)
    for m in (100, 1, 0):
        (y,) = made.run(None, {"x": x[:m]})
        assert np.array_equal(y, x[:m] @ (np.arange(15, dtype=np.float32).reshape(3, 5) - 3))


@pytest.mark.parametrize(
    ("k", "rows", "nodes"),
    [
        (17, "M", "y = MatMul(x, w)"),
        (3, "8", "y = MatMul(x, w)"),
        (3, "M", "a = MatMul(x, w) y = Sigmoid(a)"),
    ],
)
def test_long_sums_few_rows_and_other_ends_stay(k: int, rows: str, nodes: str) -> None:
    assert not any(
        SHORT in note.plan for note in session(k, rows, nodes or "y = MatMul(x, w)").report.kernels
    )


@pytest.mark.parametrize(("apart", "symbol"), [(1, "sdx_gemm_shallow7_dynamic_f32"), (9, None)])
def test_steps_that_lie_apart_are_left_to_tiles(apart: int, symbol: str | None) -> None:
    words = {Gemm.M: 100, Gemm.N: 5, Gemm.K: 7, Gemm.A_K: apart}
    call = NativeCall("sdx_gemm_dynamic_f32", in_order(words, Gemm.EPILOGUE_WORDS), (), (), ())
    assert steps_of(call) == 7
    other = shallow_call(call)
    assert (other and other.symbol) == symbol
